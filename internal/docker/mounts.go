package docker

// tmpfsOptions allow executing, which the engine's own default does not: Java's libraries unpack native code and load
// it from there. What is in it counts as the container's memory.
const tmpfsOptions = "rw,exec,nosuid,nodev,size=64m,mode=1777"

// tmpfs are file systems in memory, which are there from the start of the container on, not before.
func (s Spec) tmpfs() map[string]string {
	if len(s.Tmpfs) == 0 {
		return nil
	}
	mounts := map[string]string{}
	for _, path := range s.Tmpfs {
		mounts[path] = tmpfsOptions
	}
	return mounts
}

// scratch are volumes without a name: Remove takes them away with the container.
func (s Spec) scratch() map[string]struct{} {
	if len(s.Scratch) == 0 {
		return nil
	}
	volumes := map[string]struct{}{}
	for _, path := range s.Scratch {
		volumes[path] = struct{}{}
	}
	return volumes
}
