// SPDX-License-Identifier: Apache-2.0

package peer

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// becomeChaincode acts as a run program without a container: it writes the TLS files, sets the variables and executes
// the chaincode in place of itself.
func becomeChaincode(chaincode, runMetadata string) error {
	raw, err := os.ReadFile(filepath.Join(runMetadata, "chaincode.json"))
	if err != nil {
		return err
	}
	var config runConfig
	if err := json.Unmarshal(raw, &config); err != nil {
		return err
	}
	env := []string{
		"CORE_CHAINCODE_ID_NAME=" + config.ChaincodeID,
		"CORE_PEER_TLS_ENABLED=" + strconv.FormatBool(config.RootCert != ""),
		"CORE_PEER_LOCALMSPID=" + config.MSPID,
	}
	if config.RootCert != "" {
		files, err := writeTLS(config, runMetadata)
		if err != nil {
			return err
		}
		env = append(env, files...)
	}
	if err := syscall.Dup2(2, 1); err != nil { // the peer discards stdout
		return err
	}
	return syscall.Exec(chaincode, []string{"chaincode", "-peer.address=" + config.PeerAddress}, env)
}

// writeTLS writes the key as PEM and the certificate as base64, so that both forms are tested.
func writeTLS(config runConfig, dir string) ([]string, error) {
	encoded := base64.StdEncoding.EncodeToString([]byte(config.ClientCert))
	files := map[string]string{
		"CORE_TLS_CLIENT_KEY_FILE":    config.ClientKey,
		"CORE_TLS_CLIENT_CERT_PATH":   encoded,
		"CORE_PEER_TLS_ROOTCERT_FILE": config.RootCert,
	}
	var env []string
	for name, content := range files {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			return nil, err
		}
		env = append(env, name+"="+file)
	}
	return env, nil
}

// kvBinary builds the sample Go chaincode, once for all tests.
var kvBinary = sync.OnceValues(func() (string, error) {
	binary := filepath.Join(shared, "kv")
	cmd := exec.Command("go", "build", "-o", binary, ".")
	cmd.Dir = filepath.Join("..", "..", "testdata", "chaincodes", "go")
	if output, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building kv: %w: %s", err, output)
	}
	return binary, nil
})

// startKV starts a peer whose run program executes the Go chaincode.
func startKV(t *testing.T, changes ...func(*Options)) (*fixture, string) {
	t.Helper()
	binary, err := kvBinary()
	require.NoError(t, err)
	self, err := os.Executable()
	require.NoError(t, err)
	peer := start(t, scripts{"run": runVariable + "=" + binary + " exec " + self + ` "$@"`}, changes...)
	return peer, peer.install(t, "kv_1.0")
}

func TestTheGoChaincodeKeepsValues(t *testing.T) {
	for _, tls := range []bool{false, true} {
		t.Run(fmt.Sprint("tls=", tls), func(t *testing.T) {
			peer, id := startKV(t, func(o *Options) { o.TLS = tls })

			launched, err := peer.Launch(t.Context(), id)
			require.NoError(t, err)
			assert.Positive(t, launched.Registered)
			assert.GreaterOrEqual(t, launched.Ready, launched.Registered)

			put, err := peer.Invoke(t.Context(), id, "put", "a", "1")
			require.NoError(t, err)
			assert.Equal(t, int32(200), put.Status)
			assertValue(t, peer, id, "a", "1")

			missing, err := peer.Invoke(t.Context(), id, "get", "b")
			require.NoError(t, err)
			assert.Equal(t, int32(500), missing.Status)
			assert.Equal(t, `no value for key "b"`, missing.Message)

			require.NoError(t, peer.Stop(t.Context(), id))
			assert.EqualError(t, launched.Run.Err(), "signal: terminated")
			assertValue(t, peer, id, "a", "1")
			assert.Len(t, peer.Runs(id), 2, "the transaction launched it again")
		})
	}
}

func assertValue(t *testing.T, peer *fixture, id, key, want string) {
	t.Helper()
	got, err := peer.Invoke(t.Context(), id, "get", key)
	require.NoError(t, err)
	assert.Equal(t, want, string(got.Payload))
}

func TestTheGoChaincodeMisbehavesOnDemand(t *testing.T) {
	t.Run("exit", func(t *testing.T) {
		peer, id := startKV(t)
		_, err := peer.Invoke(t.Context(), id, "exit", "42")
		assert.ErrorIs(t, err, ErrStreamTerminated)
		run := peer.Runs(id)[0]
		require.NoError(t, run.Wait(soon(t)))
		assert.Equal(t, 42, run.ExitCode())
	})
	t.Run("printlong", func(t *testing.T) {
		peer, id := startKV(t)
		_, err := peer.Invoke(t.Context(), id, "printlong", "70000")
		require.NoError(t, err)
		_, err = peer.journal.Wait(soon(t), "token too long")
		require.NoError(t, err)
		assert.True(t, peer.Runs(id)[0].ScannerDied())
		assertValueOfEnv(t, peer, id)
	})
	t.Run("printmany", func(t *testing.T) {
		peer, id := startKV(t)
		_, err := peer.Invoke(t.Context(), id, "printmany", "10000")
		require.NoError(t, err)
		_, err = peer.journal.Wait(soon(t), "kv: line 10000")
		assert.NoError(t, err)
	})
	t.Run("ignoreterm", func(t *testing.T) {
		peer, id := startKV(t, func(o *Options) { o.TermTimeout = 50 * time.Millisecond })
		_, err := peer.Invoke(t.Context(), id, "ignoreterm")
		require.NoError(t, err)
		require.NoError(t, peer.Stop(t.Context(), id))
		assert.EqualError(t, peer.Runs(id)[0].Err(), "signal: killed")
	})
	t.Run("file", func(t *testing.T) {
		peer, id := startKV(t)
		answer, err := peer.Invoke(t.Context(), id, "file", "/")
		require.NoError(t, err)
		assert.Contains(t, string(answer.Payload), `"mode":"d`)
	})
}

func assertValueOfEnv(t *testing.T, peer *fixture, id string) {
	t.Helper()
	answer, err := peer.Invoke(t.Context(), id, "env")
	require.NoError(t, err)
	var env map[string]string
	require.NoError(t, json.Unmarshal(answer.Payload, &env))
	assert.Equal(t, id, env["CORE_CHAINCODE_ID_NAME"])
}

func TestTheGoChaincodeEndsWithItsPeer(t *testing.T) {
	peer, id := startKV(t)
	_, err := peer.Launch(t.Context(), id)
	require.NoError(t, err)
	peer.Crash()
	run := peer.Runs(id)[0]
	require.NoError(t, run.Wait(soon(t)))
	assert.NotZero(t, run.ExitCode())
}
