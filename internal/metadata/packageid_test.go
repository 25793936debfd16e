// SPDX-License-Identifier: Apache-2.0

package metadata_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"fabric-builder-docker/internal/metadata"
)

func TestPackageID(t *testing.T) {
	hash := strings.Repeat("0123456789abcdef", 4)
	other := strings.Repeat("fedcba9876543210", 4)
	tests := map[string]struct {
		dir, label string
		known      bool
	}{
		"as the peer makes it":                    {"fabric-basic_1.0-" + hash + "123456789", "basic_1.0", true},
		"few random digits":                       {"fabric-basic_1.0-" + hash + "7", "basic_1.0", true},
		"ten random digits":                       {"fabric-basic_1.0-" + hash + "4294967295", "basic_1.0", true},
		"a label with a dash":                     {"fabric-pay-evil-" + hash + "123456789", "pay-evil", true},
		"a label that looks like an id":           {"fabric-pay-" + other + "-" + hash + "123456789", "pay-" + other, true},
		"another's id in the label":               {"fabric-pay-" + other + "-" + hash + "123456789", "pay", false},
		"another label":                           {"fabric-basic_1.0-" + hash + "123456789", "basic", false},
		"a shorter label":                         {"fabric-basic_1.0-" + hash + "123456789", "basic_1", false},
		"no label":                                {"fabric--" + hash + "123456789", "", false},
		"no random digits":                        {"fabric-basic_1.0-" + hash, "basic_1.0", false},
		"more digits than the peer makes":         {"fabric-basic_1.0-" + hash + "12345678901", "basic_1.0", false},
		"random letters":                          {"fabric-basic_1.0-" + hash + "12345678x", "basic_1.0", false},
		"a short hash":                            {"fabric-basic_1.0-" + hash[1:] + "x123456789", "basic_1.0", false},
		"a hash in upper case":                    {"fabric-basic_1.0-" + strings.ToUpper(hash) + "123456789", "basic_1.0", false},
		"a version of the 1.x lifecycle":          {"fabric-mycc-1.0123456789", "mycc", false},
		"a label with a version of the lifecycle": {"fabric-mycc-1.0-" + hash + "123456789", "mycc:1.0", false},
		"another prefix":                          {"x-fabric-basic_1.0-" + hash + "123456789", "basic_1.0", false},
		"a colon":                                 {"fabric-basic_1.0:" + hash + "123456789", "basic_1.0", false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join("/tmp", test.dir)
			id, ok := metadata.PackageID(metadata.BuildDirs{Source: dir + "/src", Metadata: dir + "/metadata", Output: dir + "/bld"}, test.label)
			assert.Equal(t, test.known, ok)
			if test.known {
				assert.Equal(t, test.label+":"+hash, id)
			} else {
				assert.Empty(t, id)
			}
		})
	}
}

func TestThePackageIDIsOnlyReadFromThePeersDirectories(t *testing.T) {
	dir := "/tmp/fabric-a-" + strings.Repeat("0", 64) + "1"
	peers := metadata.BuildDirs{Source: dir + "/src", Metadata: dir + "/metadata", Output: dir + "/bld"}
	changed := func(change func(*metadata.BuildDirs)) bool {
		dirs := peers
		change(&dirs)
		_, ok := metadata.PackageID(dirs, "a")
		return ok
	}
	assert.True(t, changed(func(*metadata.BuildDirs) {}))
	assert.True(t, changed(func(d *metadata.BuildDirs) { d.Source += "/" }))
	assert.False(t, changed(func(d *metadata.BuildDirs) { d.Source = dir + "/source" }))
	assert.False(t, changed(func(d *metadata.BuildDirs) { d.Source = dir }))
	assert.False(t, changed(func(d *metadata.BuildDirs) { d.Source += "/src" }))
	assert.False(t, changed(func(d *metadata.BuildDirs) { d.Source = "src" }))
	assert.False(t, changed(func(d *metadata.BuildDirs) { d.Metadata = "/tmp/metadata" }))
	assert.False(t, changed(func(d *metadata.BuildDirs) { d.Output = "/tmp/bld" }))
}

func TestShortID(t *testing.T) {
	for id, want := range map[string]string{
		"basic_1.0:" + strings.Repeat("0123456789abcdef", 4): "basic_1.0:0123456789ab",
		"mycc:1.0": "mycc:1.0", "basic_1.0:abc": "basic_1.0:abc", "basic": "basic", "": "",
	} {
		assert.Equal(t, want, metadata.ShortID(id))
	}
}
