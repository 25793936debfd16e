// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/loglines"
	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/test/ours"
	"fabric-builder-docker/test/peer"
)

// fabric-builder-k8s#23: run must end when the chaincode does, with its status and the reason.
func TestAChaincodeThatExits(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	id := p.install(t, sample(t, "go", "golang", "kv_1.0"))
	_, err := p.Invoke(timeout(t), id, "exit", "3")
	require.ErrorIs(t, err, peer.ErrStreamTerminated)
	assert.Equal(t, 3, p.ended(t, id).ExitCode())
	assert.Contains(t, lastLine(p.said("run")), "the chaincode has ended")
	assert.Contains(t, lastLine(p.said("run")), "exit_status=3")
	noContainers(t, metadata.LabelChaincodeID, id)
	p.invoke(t, id, "put", "a", "1") // the next transaction starts it again
}

func TestAChaincodeThatDiesAtOnceLosesNoOutput(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	id := p.install(t, sample(t, "dies", "golang", "dies_1.0"))
	for range 5 {
		_, err := p.Launch(timeout(t), id)
		require.ErrorContains(t, err, "builder 'docker' run failed: exit status 3")
	}
	assert.Equal(t, 5, strings.Count(p.said("run"), metadata.ShortID(id)+" | dies: last words\n"))
	assert.Equal(t, 5, strings.Count(p.said("run"), "exit_status=3"))
	noContainers(t, metadata.LabelChaincodeID, id)
}

func TestAMillionLinesArriveComplete(t *testing.T) {
	t.Parallel()
	const lines = 1_000_000
	p := newPeer(t)
	id := p.install(t, sample(t, "go", "golang", "kv_1.0"))
	p.invoke(t, id, "printmany", fmt.Sprint(lines))
	_, err := p.journal.Wait(timeout(t), fmt.Sprintf("kv: line %d", lines))
	require.NoError(t, err)
	next := 1
	for line := range strings.Lines(p.said("run")) {
		if strings.HasPrefix(line, metadata.ShortID(id)+" | kv: line ") {
			require.Equal(t, fmt.Sprintf("%s | kv: line %d\n", metadata.ShortID(id), next), line)
			next++
		}
	}
	assert.Equal(t, lines+1, next)
}

// The peer stops reading after a line of 64 KiB.
func TestALongLineDoesNotKillThePeersScanner(t *testing.T) {
	t.Parallel()
	const length = 200_000
	p := newPeer(t)
	id := p.install(t, sample(t, "go", "golang", "kv_1.0"))
	p.invoke(t, id, "printlong", fmt.Sprint(length))
	p.invoke(t, id, "put", "a", "1")
	require.NoError(t, p.Stop(timeout(t), id))
	p.ended(t, id)
	letters := 0
	for line := range strings.Lines(p.said("run")) {
		assert.LessOrEqual(t, len(line), loglines.MaxLine)
		if text, ok := strings.CutPrefix(line, metadata.ShortID(id)+" | x"); ok {
			letters += 1 + strings.Count(text, "x")
		}
	}
	assert.Equal(t, length, letters)
	assert.False(t, p.ScannerDied())
}

// The peer kills run after 5 s. run has cleaned up before.
func TestAChaincodeThatIgnoresSIGTERM(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	id := p.install(t, sample(t, "go", "golang", "kv_1.0"))
	p.invoke(t, id, "ignoreterm")
	require.NoError(t, p.Stop(timeout(t), id))
	run := p.ended(t, id)
	assert.Contains(t, []int{137, 143}, run.ExitCode(), "killed by the engine, which may report it late, and not by the peer: %v", run.Err())
	assert.Contains(t, lastLine(p.said("run")), "the chaincode was stopped")
	noContainers(t, metadata.LabelChaincodeID, id)
}

func TestSIGINTStopsAndRemoves(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	id := p.install(t, sample(t, "go", "golang", "kv_1.0"))
	p.invoke(t, id, "put", "a", "1")
	require.NoError(t, p.Runs(id)[0].Signal(syscall.SIGINT))
	assert.Equal(t, 143, p.ended(t, id).ExitCode())
	noContainers(t, metadata.LabelChaincodeID, id)
}

// When a peer on the host dies, run gets no signal, and its stderr is a broken pipe.
func TestAClosedStderrDoesNotKeepRunFromCleaningUp(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	id := p.install(t, sample(t, "go", "golang", "kv_1.0"))
	p.invoke(t, id, "put", "a", "1")
	p.Crash()
	p.ended(t, id)
	noContainers(t, metadata.LabelChaincodeID, id)
}

// kfsoftware/externalbuilder#2, fabric-builder-k8s#39: a run that was killed leaves a container behind.
func TestALeftoverContainerIsRemovedFirst(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	id := p.install(t, sample(t, "hangs", "golang", "hangs_1.0"))
	first := runByHand(t, p, id)
	left := awaitContainer(t, metadata.LabelChaincodeID, id, "running")
	require.NoError(t, first.Process.Kill())
	first.status(t)
	require.Len(t, containers(t, metadata.LabelChaincodeID, id), 1, "nobody has cleaned up")

	second := runByHand(t, p, id)
	require.Eventually(t, func() bool { return strings.Contains(second.stderr.String(), "hangs: waiting for ever") }, limit, 20*time.Millisecond)
	assert.Contains(t, second.stderr.String(), "removing an older container")
	found := containers(t, metadata.LabelChaincodeID, id)
	require.Len(t, found, 1)
	assert.NotEqual(t, left.ID, found[0].ID)
	require.NoError(t, second.Process.Signal(syscall.SIGTERM))
	second.status(t)
	noContainers(t, metadata.LabelChaincodeID, id)
}

// fabric-samples' network.sh down removes what docker ps -aq --filter name=dev-peer* lists.
func TestToolsThatCleanUpFindWhatAKilledRunLeaves(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	id := p.install(t, sample(t, "hangs", "golang", "hangs_1.0"))
	run := start(t, p.options.BuilderPath, "run", p.Build(id).Output, runMetadata(t, id, "peer0.org1.example.com:7052"))
	awaitContainer(t, metadata.LabelChaincodeID, id, "running")
	require.NoError(t, run.Process.Kill())
	run.status(t)

	var found []containerState
	filters := url.QueryEscape(fmt.Sprintf(`{"name":["dev-peer*"],"label":[%q]}`, metadata.LabelInstallToken+"="+p.record(t, id).InstallToken))
	require.NoError(t, world.engine.Get(timeout(t), "/containers/json?all=1&filters="+filters, &found))
	require.Len(t, found, 1)
	assert.Equal(t, ours.MSPID, found[0].Labels[metadata.LabelMSPID])
	require.NoError(t, world.engine.Delete(timeout(t), "/containers/"+found[0].ID+"?force=1"))
}

// After a startup timeout, the peer starts a second run while the first still runs.
func TestASecondRunTakesOver(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	id := p.install(t, sample(t, "hangs", "golang", "hangs_1.0"))
	first := runByHand(t, p, id)
	awaitContainer(t, metadata.LabelChaincodeID, id, "running")
	require.Eventually(t, func() bool { return strings.Contains(first.stderr.String(), "waiting for ever") }, limit, 20*time.Millisecond)
	second := runByHand(t, p, id)
	assert.Equal(t, 137, first.status(t), first.stderr)
	assert.Regexp(t, "a later run of this chaincode has taken over|was removed, by a later run", lastLine(first.stderr.String()))
	assert.NotContains(t, first.stderr.String(), "[ERROR]")
	require.Eventually(t, func() bool { return strings.Contains(second.stderr.String(), "waiting for ever") }, limit, 20*time.Millisecond)
	require.Len(t, containers(t, metadata.LabelChaincodeID, id), 1, "the winner's container is untouched")
	require.NoError(t, second.Process.Signal(syscall.SIGTERM))
	second.status(t)
	noContainers(t, metadata.LabelChaincodeID, id)
}

// Two Fabric networks on one engine may have the same MSP ID, peer address and package.
func TestTwoPeersWithTheSameNameDoNotTouchEachOther(t *testing.T) {
	t.Parallel()
	pkg := sample(t, "hangs", "golang", "hangs_1.0")
	one, two := newPeer(t), newPeer(t)
	id := one.install(t, pkg)
	require.Equal(t, id, two.install(t, pkg))
	a, b := runByHand(t, one, id), runByHand(t, two, id)
	require.Eventually(t, func() bool {
		return strings.Contains(a.stderr.String(), "waiting for ever") && strings.Contains(b.stderr.String(), "waiting for ever")
	}, limit, 20*time.Millisecond)
	require.Len(t, containers(t, metadata.LabelChaincodeID, id), 2)
	require.NoError(t, a.Process.Signal(syscall.SIGTERM))
	a.status(t)
	require.Len(t, containers(t, metadata.LabelChaincodeID, id), 1)
	require.NoError(t, b.Process.Signal(syscall.SIGTERM))
	b.status(t)
	noContainers(t, metadata.LabelChaincodeID, id)
}

// Operators prune images. With the built-in controller, every query then fails with "No such image" until the peer is
// restarted. Several peers that notice at the same moment share one build.
func TestAnImageThatIsGoneIsBuiltAgain(t *testing.T) {
	t.Parallel()
	pkg := fresh(t, "golang", "gone_1.0", entries(t, filepath.Join(world.samples, "go"))...)
	one, two := newPeer(t), newPeer(t)
	id := one.install(t, pkg)
	require.Equal(t, id, two.install(t, pkg))
	require.NoError(t, world.engine.Delete(t.Context(), "/images/"+one.record(t, id).Image))

	var wg sync.WaitGroup
	for _, p := range []*testPeer{one, two} {
		wg.Go(func() {
			_, err := p.Launch(timeout(t), id)
			assert.NoError(t, err)
		})
	}
	wg.Wait()
	said := one.said("run") + two.said("run")
	assert.Equal(t, 1, strings.Count(said, "run: building: "), said)
	assert.Contains(t, said, "the image is gone from the engine: building it again")
	one.invoke(t, id, "put", "a", "1")
	two.invoke(t, id, "put", "a", "1")
}

// The peer keeps a half-copied build forever.
func TestAHalfCopiedBuildSaysWhatToDelete(t *testing.T) {
	t.Parallel()
	tests := map[string]func(output string) error{
		"no record":        func(output string) error { return os.Remove(filepath.Join(output, metadata.RecordFile)) },
		"half a record":    func(output string) error { return os.Truncate(filepath.Join(output, metadata.RecordFile), 100) },
		"half the source":  func(output string) error { return os.Truncate(filepath.Join(output, metadata.SourceFile), 100) },
		"nothing whatever": os.RemoveAll,
	}
	for name, spoil := range tests {
		t.Run(name, func(t *testing.T) {
			p := newPeer(t)
			id := p.install(t, sample(t, "dies", "golang", "dies_1.0"))
			require.NoError(t, spoil(p.Build(id).Output))
			_, err := p.Launch(timeout(t), id)
			require.ErrorContains(t, err, "exit status 1")
			assert.Contains(t, p.said("run"), "delete "+filepath.Dir(p.Build(id).Output)+" and restart the peer")
		})
	}
}

func TestABrokenChaincodeFile(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	id := p.install(t, sample(t, "dies", "golang", "dies_1.0"))
	const secret = "-----BEGIN EC PRIVATE KEY-----\nc2VjcmV0\n-----END EC PRIVATE KEY-----\n"
	tests := map[string]struct{ text, want string }{
		"missing":     {"", "no such file"},
		"broken":      {"{", "chaincode.json"},
		"without id":  {`{"peer_address":"x:1"}`, "chaincode_id"},
		"without TLS": {fmt.Sprintf(`{"chaincode_id":"a:b","peer_address":"x:1","client_key":%q}`, secret), "has client_key but lacks client_cert and root_cert"},
		"no PEM": {fmt.Sprintf(`{"chaincode_id":"a:b","peer_address":"x:1","client_key":%q,"client_cert":"x","root_cert":"x"}`, secret),
			`"client_cert" is not PEM`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if test.text != "" {
				require.NoError(t, os.WriteFile(filepath.Join(dir, "chaincode.json"), []byte(test.text), 0o600))
			}
			run := start(t, p.options.BuilderPath, "run", p.Build(id).Output, dir)
			assert.Equal(t, 1, run.status(t))
			assert.Contains(t, run.stderr.String(), test.want)
			assert.Equal(t, 1, strings.Count(run.stderr.String(), "\n"), "one line: %s", run.stderr)
			assert.NotContains(t, run.stderr.String(), "c2VjcmV0")
		})
	}
}

// runByHand calls run as the peer would, without the peer knowing.
func runByHand(t *testing.T, p *testPeer, id string) *program {
	t.Helper()
	return start(t, p.options.BuilderPath, "run", p.Build(id).Output, runMetadata(t, id, "127.0.0.1:7052"))
}

// runMetadata returns a RUN_METADATA_DIR for a chaincode without TLS.
func runMetadata(t *testing.T, id, address string) string {
	t.Helper()
	dir := t.TempDir()
	text := fmt.Sprintf(`{"chaincode_id":%q,"peer_address":%q,"mspid":%q,"client_cert":"","client_key":"","root_cert":""}`, id, address, ours.MSPID)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "chaincode.json"), []byte(text), 0o600))
	return dir
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}
