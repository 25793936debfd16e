package imagebuild_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/baseimage"
	"fabric-builder-docker/internal/cli"
	"fabric-builder-docker/internal/config"
	"fabric-builder-docker/internal/content"
	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/internal/imagebuild"
	"fabric-builder-docker/internal/platform"
	"fabric-builder-docker/internal/registry"
)

// imageStore is an engine that knows images and nothing else: what is there, and what can be pulled.
type imageStore struct {
	mu        sync.Mutex
	there     map[string]bool
	published map[string]bool
	refusal   string // in place of an image
	hang      bool
	build     http.HandlerFunc // in place of the engine's builder
	calls     []string
	users     []string // whom the pulls were made as
}

func (s *imageStore) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path, _ := strings.CutPrefix(r.URL.Path, "/v1.41")
	name, isInspect := strings.CutSuffix(strings.TrimPrefix(path, "/images/"), "/json")
	tagged, isTag := strings.CutSuffix(strings.TrimPrefix(path, "/images/"), "/tag")
	familiar := func(name string) string { return strings.TrimPrefix(name, "docker.io/") }
	query := r.URL.Query()
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case strings.HasSuffix(path, "/_ping"):
		w.Header().Set("Api-Version", "1.41")
	case isInspect && s.there[name]:
		fmt.Fprint(w, `{"Os":"linux","Architecture":"amd64","RootFS":{"Layers":["sha256:a"]},"Config":{"User":"500:500","Cmd":["x"]}}`)
	case path == "/build":
		s.calls = append(s.calls, "build")
		s.build(w, r)
	case path == "/images/create":
		s.pull(w, r, familiar(query.Get("fromImage")), query.Get("tag"))
	case isTag && s.there[tagged]:
		name := familiar(query.Get("repo")) + ":" + query.Get("tag")
		s.calls = append(s.calls, "tag "+tagged+" "+name)
		s.there[name] = true
		w.WriteHeader(http.StatusCreated)
	case r.Method == http.MethodDelete:
		s.calls = append(s.calls, "untag "+name)
		delete(s.there, name)
		fmt.Fprint(w, `[]`)
	default:
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"message":"not there"}`)
	}
}

func (s *imageStore) pull(w http.ResponseWriter, r *http.Request, image, tag string) {
	separator := ":"
	if strings.Contains(tag, ":") {
		separator = "@"
	}
	name := image + separator + tag
	s.calls = append(s.calls, "pull "+name)
	var auth struct{ Username string }
	text, _ := base64.URLEncoding.DecodeString(r.Header.Get("X-Registry-Auth"))
	_ = json.Unmarshal(text, &auth)
	s.users = append(s.users, auth.Username)
	switch {
	case s.hang:
		s.mu.Unlock()
		<-r.Context().Done()
		s.mu.Lock()
	case s.published[name]:
		s.there[name] = true
		fmt.Fprint(w, `{"status":"Pulling"}`)
	default:
		w.WriteHeader(http.StatusInternalServerError)
		fmt.Fprintf(w, `{"message":%q}`, s.refusal)
	}
}

const digest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

// names makes a set.
func names(all ...string) map[string]bool {
	set := map[string]bool{}
	for _, name := range all {
		set[name] = true
	}
	return set
}

// obtain makes sure of one image, as for a package that names it, and returns the name that it is there under.
func obtain(t *testing.T, store *imageStore, pulls baseimage.Pulls, image platform.Image) (name, said string, err error) {
	t.Helper()
	if store.there == nil {
		store.there = names()
	}
	store.refusal = "manifest unknown"
	server := httptest.NewServer(store)
	t.Cleanup(server.Close)
	t.Cleanup(server.CloseClientConnections)
	client, err := docker.Connect(t.Context(), "tcp://"+server.Listener.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { client.Close() })
	output := &locked{}
	b := imagebuild.Builder{
		Engine: client, Log: cli.NewLogger("build", output), Stderr: output, Prefix: "p", Version: "1", Periods: periods, Pulls: pulls,
	}
	made, err := b.Build(t.Context(), platform.Plan{Type: "docker", Kind: platform.Prebuilt, Runtime: image}, &content.Package{}, "cc_1")
	return made.Name, output.String(), err
}

func TestPullPolicy(t *testing.T) {
	pinned := "org/cc@" + digest
	tests := map[string]struct {
		policy           string
		image            string
		there, published bool
		calls            int
		want             string // of the error; empty: none
	}{
		"missing, there":             {"", "org/cc:1", true, true, 0, ""},
		"missing, not there":         {"", "org/cc:1", false, true, 1, ""},
		"missing, nowhere":           {"", "org/cc:1", false, false, 1, `image "org/cc:1": asking registry docker.io `},
		"never, there":               {config.PullNever, "org/cc:1", true, true, 0, ""},
		"never, not there":           {config.PullNever, "org/cc:1", false, true, 0, `"org/cc:1" is not on the engine and builder.pullPolicy is "never": load it on the engine, or set chaincode.x or builder.pullPolicy`},
		"always, there":              {config.PullAlways, "org/cc:1", true, true, 1, ""},
		"always, there, not pulled":  {config.PullAlways, "org/cc:1", true, false, 1, `(to use the image on the engine, set builder.pullPolicy to "missing")`},
		"always, there, by digest":   {config.PullAlways, pinned, true, false, 0, ""},
		"always, not there, by name": {config.PullAlways, "org/cc:1", false, true, 1, ""},
		"no name":                    {"", "Org/CC", false, false, 0, "invalid reference format"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			store := &imageStore{there: names(), published: names()}
			store.there[test.image], store.published[test.image] = test.there, test.published
			_, _, err := obtain(t, store, baseimage.Pulls{Policy: test.policy}, platform.Image{Name: test.image, Setting: "chaincode.x"})
			if test.want == "" {
				assert.NoError(t, err)
			} else {
				assert.ErrorContains(t, err, test.want)
			}
			assert.Len(t, store.calls, test.calls, "%v", store.calls)
		})
	}
}

func TestMirror(t *testing.T) {
	const mirror = "mirror.example.com:5000/hub"
	tests := map[string]struct {
		image     string
		published []string
		there     []string
		calls     []string
		name      string // empty: an error
	}{
		"of a name without a registry": {"org/cc:1", []string{mirror + "/org/cc:1"}, nil,
			[]string{"pull " + mirror + "/org/cc:1", "tag " + mirror + "/org/cc:1 org/cc:1", "untag " + mirror + "/org/cc:1"}, "org/cc:1"},
		"the Hub is not asked": {"org/cc:1", []string{"org/cc:1"}, nil, []string{"pull " + mirror + "/org/cc:1"}, ""},
		"of another registry": {"registry.example.com/cc:1", []string{mirror + "/registry.example.com/cc:1"}, nil,
			[]string{"pull " + mirror + "/registry.example.com/cc:1", "tag " + mirror + "/registry.example.com/cc:1 registry.example.com/cc:1", "untag " + mirror + "/registry.example.com/cc:1"}, "registry.example.com/cc:1"},
		"another registry, when the mirror has it not": {"registry.example.com/cc:1", []string{"registry.example.com/cc:1"}, nil,
			[]string{"pull " + mirror + "/registry.example.com/cc:1", "pull registry.example.com/cc:1"}, "registry.example.com/cc:1"},
		"a registry with a port": {"registry.example.com:5000/cc:1", []string{"registry.example.com:5000/cc:1"}, nil,
			[]string{"pull registry.example.com:5000/cc:1"}, "registry.example.com:5000/cc:1"},
		"the mirror itself": {mirror + "/org/cc:1", []string{mirror + "/org/cc:1"}, nil, []string{"pull " + mirror + "/org/cc:1"}, mirror + "/org/cc:1"},
		"by digest": {"org/cc@" + digest, []string{mirror + "/org/cc@" + digest}, nil,
			[]string{"pull " + mirror + "/org/cc@" + digest}, mirror + "/org/cc@" + digest},
		"by digest, there since": {"org/cc@" + digest, nil, []string{mirror + "/org/cc@" + digest}, nil, mirror + "/org/cc@" + digest},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			store := &imageStore{there: names(test.there...), published: names(test.published...)}
			name, _, err := obtain(t, store, baseimage.Pulls{Mirror: mirror}, platform.Image{Name: test.image})
			assert.Equal(t, test.calls, store.calls)
			assert.Equal(t, test.name, name)
			assert.Equal(t, test.name == "", err != nil, "%v", err)
		})
	}
}

// Whoever reads the error knows which registry was asked, as whom, and which setting decides that; not the password.
func TestARefusedPullSaysWhoAsked(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "config.json")
	require.NoError(t, os.WriteFile(path, []byte(`{"auths":{
		"registry.example.com":{"auth":"YWRhOnMzY3JldA=="},"token.example.com":{"identitytoken":"t0ken"}},
		"credHelpers":{"helped.example.com":"no-such-helper"}}`), 0o600))
	tests := map[string]struct{ image, user, want, warning string }{
		"a user":            {"registry.example.com/cc:1", "ada", `asking registry registry.example.com as user "ada" from ` + path, ""},
		"an identity token": {"token.example.com/cc:1", "", `asking registry token.example.com with the identity token from ` + path, ""},
		"nobody":            {"other.example.com/cc:1", "", `asking registry other.example.com without credentials (none found in ` + path, ""},
		"a broken helper":   {"helped.example.com/cc:1", "", `asking registry helped.example.com without credentials`, "docker-credential-no-such-helper"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			store := &imageStore{}
			_, said, err := obtain(t, store, baseimage.Pulls{Credentials: registry.Locate(path, nil)}, platform.Image{Name: test.image})
			require.ErrorContains(t, err, test.want)
			assert.ErrorContains(t, err, "builder.registry.config")
			assert.Equal(t, []string{test.user}, store.users)
			assert.Contains(t, said, test.warning)
			for _, secret := range []string{"s3cret", "t0ken", "YWRhOnMzY3JldA=="} {
				assert.NotContains(t, err.Error()+said, secret)
			}
		})
	}
}

func TestAPullThatIsGivenUpNamesTheSetting(t *testing.T) {
	const short, long = 50 * time.Millisecond, time.Minute
	for want, pulls := range map[string]baseimage.Pulls{
		"no progress for too long: 50ms, see builder.registry.inactivityTimeout": {Timeout: long, Inactivity: short},
		"took too long: 50ms, see builder.registry.timeout":                      {Timeout: short, Inactivity: long},
	} {
		_, _, err := obtain(t, &imageStore{hang: true}, pulls, platform.Image{Name: "registry.example.com/cc:1"})
		assert.ErrorContains(t, err, want)
		assert.ErrorContains(t, err, "registry.example.com")
	}
}
