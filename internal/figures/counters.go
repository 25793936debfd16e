// SPDX-License-Identifier: Apache-2.0

package figures

import "slices"

// prefix begins the name of each counter.
const prefix = "fabric_chaincode_builder_"

// Counter is one of the counters of the file. There is a series for each combination of its labels' values. All series begin at
// 0, since a first value of 1 would be no increase to Prometheus.
type Counter struct {
	name   string // without prefix
	help   string
	labels []label
}

// label is a label of a counter. Its values are the builder's own words, never a package's: whoever makes packages must not be
// able to fill the operator's database.
type label struct {
	name   string
	values []string // of which the last one stands for any other value
}

// The results of builds.
const (
	Built    = "built"     // made or pulled here
	Reused   = "reused"    // the image existed already
	Shared   = "shared"    // another builder has made the image meanwhile
	Failed   = "failed"    // for any reason but the next two
	TimedOut = "timed_out" // builder.buildTimeout
	Stopped  = "stopped"   // a signal came; also of launches and exits
)

// Further results of launches: Failed and Stopped are among them.
const (
	Started  = "started"
	Replaced = "replaced" // a later run of the same chaincode has taken over; also of exits
)

// The results of pulls.
const (
	Pulled    = "pulled"
	NotPulled = Failed
)

// Why a chaincode's container was no longer supervised. Stopped and Replaced are among them.
const (
	Ended   = "ended"   // by itself
	Removed = "removed" // by hand
	Lost    = "lost"    // the engine did not answer for too long; the container may go on
)

// What can run out of memory.
const (
	Build     = "build"
	Chaincode = "chaincode"
)

// What a build spends its time on.
const (
	Preparing = "preparing"
	Waiting   = "waiting_for_other_builder"
	Pulling   = "pulling"
	Building  = "building"
	Making    = "making_image"
)

const other = "other"

// exitStatuses are those that say something by themselves: an error of the program, 2 after a panic of Go, one that cannot be
// executed or was not found, and the signals SIGABRT, SIGKILL, SIGSEGV and SIGTERM.
var exitStatuses = []string{"0", "1", "2", "126", "127", "134", "137", "139", "143", other}

// The counters, with the values of their labels in this order.
var (
	Builds = &Counter{"builds_total", "Builds of packages that have ended, those that run begins included.", []label{
		{"type", []string{"golang", "node", "java", "docker", "k8s", "ccaas", "external", other}},
		{"result", []string{Built, Reused, Shared, TimedOut, Stopped, Failed}},
	}}
	BuildSeconds = &Counter{"build_seconds_total", "Time of these builds, by what it was spent on.",
		[]label{{"phase", []string{Waiting, Pulling, Building, Making, Preparing}}}}
	Rebuilds = &Counter{"rebuilds_total", "Builds among these that run has begun, since the image was gone from the engine.", nil}
	Pulls    = &Counter{"pulls_total", "Pulls of images that have ended.", []label{{"result", []string{Pulled, NotPulled}}}}
	Launches = &Counter{"launches_total", "Launches of chaincodes, by whether their container was started.",
		[]label{{"result", []string{Started, Replaced, Stopped, Failed}}}}
	LaunchSeconds = &Counter{"launch_seconds_total", "Time from the beginning of run until the container was running, of started launches.", nil}
	Exits         = &Counter{"exits_total", "Ends of started launches, by what has ended them and by the exit status of run.",
		[]label{{"cause", []string{Stopped, Replaced, Removed, Lost, Ended}}, {"status", exitStatuses}}}
	OOMKills = &Counter{"oom_kills_total", "Builds and chaincodes that have run out of memory.", []label{{"container", []string{Build, Chaincode}}}}
)

// counters lists the counters in the order of the file.
var counters = []*Counter{Builds, BuildSeconds, Rebuilds, Pulls, Launches, LaunchSeconds, Exits, OOMKills}

// series returns the series of the counter for these values of its labels, as the file has it.
func (c *Counter) series(values []string) string {
	series, separator := prefix+c.name, "{"
	for i, l := range c.labels {
		value := values[i]
		if !slices.Contains(l.values, value) {
			value = l.values[len(l.values)-1]
		}
		series += separator + l.name + `="` + escape(value) + `"`
		separator = ","
	}
	if len(c.labels) > 0 {
		series += "}"
	}
	return series
}

// all returns all series of the counter.
func (c *Counter) all() []string { return c.beginningWith(nil) }

// beginningWith returns all series of the counter whose first labels have these values.
func (c *Counter) beginningWith(values []string) []string {
	if len(values) == len(c.labels) {
		return []string{c.series(values)}
	}
	var all []string
	for _, value := range c.labels[len(values)].values {
		all = append(all, c.beginningWith(append(values, value))...)
	}
	return all
}
