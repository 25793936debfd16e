package docker

// Tmpfs is a file system in memory, which is there from the start of the container on, not before. All may write to it,
// as to /tmp: not every engine can give it to one user. What is in it counts as the container's memory.
type Tmpfs struct {
	Path string
	Size string // at most, as 64m
	Exec bool   // programs may be executed from it
}

func (s Spec) tmpfs() map[string]string {
	if len(s.Tmpfs) == 0 {
		return nil
	}
	mounts := map[string]string{}
	for _, fs := range s.Tmpfs {
		exec := "noexec"
		if fs.Exec {
			exec = "exec"
		}
		mounts[fs.Path] = "rw," + exec + ",nosuid,nodev,size=" + fs.Size + ",mode=1777"
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
