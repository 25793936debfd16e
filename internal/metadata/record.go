package metadata

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// RecordFile is the file in OUTPUT_DIR that build leaves for run. The peer keeps it for ever, so a newer program must
// read what an older one wrote.
const RecordFile = "build-record.json"

// SourceFile is the package's own source in OUTPUT_DIR, for the day its image is gone: a gzipped tar.
const SourceFile = "source.tar.gz"

// recordVersion is what this program writes. It reads all versions up to this one. The first always had User.
const recordVersion = 2

// Record is what run must know of a build.
type Record struct {
	Type         string    `json:"type"`
	Label        string    `json:"label"`
	Path         string    `json:"path,omitempty"`
	Image        string    `json:"image"`                  // the image's name, which holds the content digest
	User         *UIDGID   `json:"user,omitempty"`         // who the chaincode runs as in that image; nil: not looked up
	TLSByInput   bool      `json:"tls_by_input,omitempty"` // in that image it can take its TLS files from standard input
	Entrypoint   []string  `json:"entrypoint,omitempty"`   // of that image, where TLSByInput
	InstallToken string    `json:"install_token"`          // random; tells apart two peers that share all else
	NPMStart     *NPMStart `json:"npm_start,omitempty"`
	Builder      string    `json:"builder"` // the version of the program that built
	Created      time.Time `json:"created"`
}

// NPMStart is there for a node package that npm start would only call the shim's own command for. It holds what npm
// tells that command about the package.
type NPMStart struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// UIDGID is a numeric user and group inside an image.
type UIDGID struct {
	UID int `json:"uid"`
	GID int `json:"gid"`
}

// sealed is the file's form. The peer may have copied only a part of OUTPUT_DIR, so the file carries the sum of the
// record and the sums of all files beside it.
type sealed struct {
	Version int             `json:"version"`
	SHA256  string          `json:"sha256"` // of the compact form of Record
	Record  json.RawMessage `json:"record"`
}

type summed struct {
	Record
	Files map[string]string `json:"files"` // slash-separated path -> SHA-256
}

// ErrPartial says that OUTPUT_DIR is not as build left it: the peer's own copy of it was interrupted.
var ErrPartial = errors.New("the build output is incomplete")

// NewInstallToken returns a new random install token of 16 hex digits.
func NewInstallToken() string { return RandomID() }

// WriteRecord writes the record into OUTPUT_DIR, with the sums of all that stands there. It must be the last file.
func WriteRecord(outputDir string, record Record) error {
	files, err := sums(outputDir)
	if err != nil {
		return fmt.Errorf("summing %s: %w", outputDir, err)
	}
	raw, err := json.Marshal(summed{record, files})
	if err != nil {
		return fmt.Errorf("encoding the build record: %w", err)
	}
	data, err := json.MarshalIndent(sealed{recordVersion, sum(raw), raw}, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding the build record: %w", err)
	}
	if err := os.WriteFile(filepath.Join(outputDir, RecordFile), append(data, '\n'), 0o644); err != nil {
		return fmt.Errorf("writing the build record: %w", err)
	}
	return nil
}

// ReadRecord reads the record of OUTPUT_DIR and checks it and all files beside it. An output that is not as build
// left it is an ErrPartial that says which directory to delete.
func ReadRecord(outputDir string) (Record, error) {
	var file sealed
	if err := readJSON(filepath.Join(outputDir, RecordFile), &file); err != nil {
		return Record{}, partial(outputDir, err)
	}
	if file.Version > recordVersion {
		return Record{}, fmt.Errorf("%s has version %d, this program knows up to %d: run the newer one, or %s",
			filepath.Join(outputDir, RecordFile), file.Version, recordVersion, RebuildHint(outputDir))
	}
	if file.Version < 1 {
		return Record{}, partial(outputDir, fmt.Errorf("%s has no version", RecordFile))
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, file.Record); err != nil || sum(compact.Bytes()) != file.SHA256 {
		return Record{}, partial(outputDir, fmt.Errorf("%s does not match its own sum", RecordFile))
	}
	var record summed
	if err := json.Unmarshal(file.Record, &record); err != nil {
		return Record{}, partial(outputDir, err)
	}
	if err := checkSums(outputDir, record.Files); err != nil {
		return Record{}, partial(outputDir, err)
	}
	return record.Record, nil
}

func partial(outputDir string, cause error) error {
	return fmt.Errorf("%w: %w; %s", ErrPartial, cause, RebuildHint(outputDir))
}

// RebuildHint is what an operator has to do when a build cannot be used any more. The peer keeps OUTPUT_DIR as
// …/builds/PACKAGE_ID/bld and does not build again while …/builds/PACKAGE_ID is there.
func RebuildHint(outputDir string) string {
	kept := outputDir
	if absolute, err := filepath.Abs(outputDir); err == nil && filepath.Base(absolute) == "bld" {
		kept = filepath.Dir(absolute)
	}
	return fmt.Sprintf("delete %s and restart the peer, which then builds the chaincode again", kept)
}

func checkSums(dir string, files map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(files)) {
		got, err := sumFile(filepath.Join(dir, filepath.FromSlash(name)))
		if err != nil {
			return fmt.Errorf("%s: %w", name, reason(err))
		}
		if got != files[name] {
			return fmt.Errorf("%s does not match its sum in %s", name, RecordFile)
		}
	}
	return nil
}

func sums(dir string) (map[string]string, error) {
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil || name == RecordFile {
			return err
		}
		files[filepath.ToSlash(name)], err = sumFile(path)
		return err
	})
	return files, err
}

func sumFile(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, file); err != nil {
		return "", err
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}

func sum(data []byte) string {
	digest := sha256.Sum256(data)
	return hex.EncodeToString(digest[:])
}
