package imagebuild

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"

	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/internal/platform"
)

// recipe is the version of everything in this package and in platform that changes what comes out of a build. Raise it
// with such a change, and no image of an older program is mistaken for one of this.
const recipe = 2

// file is one file of a package, as it is uploaded.
type file struct {
	Path       string // slash-separated, relative to SOURCE_DIR
	Executable bool
	Size       int64
	SHA256     string
}

// readPackage lists what is uploaded, in lexical order: all but META-INF, which is for release.
func readPackage(source *os.Root) ([]file, error) {
	var files []file
	err := fs.WalkDir(source.FS(), ".", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case path == "META-INF":
			return fs.SkipDir
		case entry.IsDir():
			return nil
		case !entry.Type().IsRegular():
			return fmt.Errorf("%s is no regular file: packages hold files and directories only", path)
		}
		f, err := readFile(source, path)
		files = append(files, f)
		return err
	})
	return files, err
}

func readFile(source *os.Root, path string) (file, error) {
	opened, err := source.Open(path)
	if err != nil {
		return file{}, err
	}
	defer opened.Close()
	info, err := opened.Stat()
	if err != nil {
		return file{}, err
	}
	hash := sha256.New()
	size, err := io.Copy(hash, opened)
	if err != nil {
		return file{}, fmt.Errorf("reading %s: %w", path, err)
	}
	return file{path, info.Mode()&0o111 != 0, size, hex.EncodeToString(hash.Sum(nil))}, nil
}

// base is what of a base image decides the result. The image's id is left out: it differs between image stores.
type base struct {
	Platform   string
	Layers     []string
	User       string
	Env        []string
	Entrypoint []string
	WorkingDir string
}

func baseOf(image docker.Image) base {
	return base{image.Platform, image.Layers, image.User, image.Env, image.Entrypoint, image.WorkingDir}
}

// contentDigest names the result of a build by all that goes into it: 64 hex digits. Neither META-INF nor the label is
// a part of it, so an upgrade that changes nothing else builds nothing.
func contentDigest(plan platform.Plan, files []file, builder, runtime docker.Image) string {
	data, err := json.Marshal(struct {
		Recipe           int
		Type             string
		Command          []string // holds the path of metadata.json
		Settings         []string
		Target, Level    string
		Files            []file
		Builder, Runtime base
	}{recipe, plan.Type, plan.Command, plan.Settings, plan.Target, plan.Level, files, baseOf(builder), baseOf(runtime)})
	if err != nil {
		panic(err) // strings, numbers and booleans only
	}
	digest := sha256.Sum256(data)
	return hex.EncodeToString(digest[:])
}
