// SPDX-License-Identifier: Apache-2.0

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
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"fabric-builder-docker/internal/regular"
)

// RecordFile is the name of the file in OUTPUT_DIR that build writes for run. The peer keeps it forever, so a newer
// program must be able to read the records of older ones.
const RecordFile = "build-record.json"

// SourceFile is the name of the gzipped tar in OUTPUT_DIR with the package's source. run rebuilds the image from it if
// the image was removed.
const SourceFile = "source.tar.gz"

// maxRecord is the size of the largest record in bytes. A record lists all files of META-INF: about 400,000.
const maxRecord = 64 << 20

// recordVersion is the version of the records that this program writes. It reads all versions up to this one. Records of
// version 1 always have a User.
const recordVersion = 2

// Record holds what run needs to know about a build.
type Record struct {
	Type         string    `json:"type"`
	Label        string    `json:"label"`
	Path         string    `json:"path,omitempty"`
	Image        string    `json:"image"`                  // image name, which contains the content digest
	ImageID      string    `json:"image_id,omitempty"`     // of the engine that it was built on; empty for a service and in older records
	User         *UIDGID   `json:"user,omitempty"`         // user of the chaincode in the image; nil if not looked up
	TLSByInput   bool      `json:"tls_by_input,omitempty"` // whether a chaincode in the image can read its TLS files from stdin
	Entrypoint   []string  `json:"entrypoint,omitempty"`   // of the image; set only with TLSByInput
	InstallToken string    `json:"install_token"`          // random; distinguishes peers that have everything else in common
	NPMStart     *NPMStart `json:"npm_start,omitempty"`    // nil if the chaincode must be started by npm

	// The release of Fabric that base images were for; empty in older records and for a service.
	FabricVersion   string `json:"fabric_version,omitempty"`
	DockerNamespace string `json:"docker_namespace,omitempty"`

	Builder string    `json:"builder"` // version of the program that built the image
	Created time.Time `json:"created"`
}

// NPMStart describes a Node package for which npm start would only run the shim's own command, so that run can start
// it without npm. It holds what npm would pass to that command in environment variables.
type NPMStart struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Script  string `json:"script,omitempty"` // the start script; empty: the shim's command alone
}

// UIDGID is the numeric user and group ID of a user in an image.
type UIDGID struct {
	UID int `json:"uid"`
	GID int `json:"gid"`
}

// recordFile is the content of RecordFile. The peer may have copied only a part of OUTPUT_DIR, so the file contains a
// checksum of the record and, in the record, checksums of all other files in the directory.
type recordFile struct {
	Version int             `json:"version"`
	SHA256  string          `json:"sha256"` // of Record in compact form
	Record  json.RawMessage `json:"record"`
}

type recordWithSums struct {
	Record
	Files map[string]string `json:"files,omitempty"` // slash-separated path, see fileKey -> SHA-256
}

// ErrPartial is returned if OUTPUT_DIR is not as build left it, usually because the peer was interrupted while it
// copied the directory.
var ErrPartial = errors.New("the build output is incomplete")

// NewInstallToken returns a random install token of 16 hex digits.
func NewInstallToken() string { return RandomID() }

// WriteRecord writes the record and the checksums of all files in OUTPUT_DIR to RecordFile. It must be called last,
// after all other files were written.
func WriteRecord(outputDir string, record Record) error {
	files, err := sumFiles(outputDir)
	if err != nil {
		return fmt.Errorf("computing the checksums of %s: %w", outputDir, err)
	}
	data, err := encodeRecord(recordWithSums{record, files})
	if err != nil {
		return err
	}
	if len(data) > maxRecord {
		return fmt.Errorf("writing the build record: it is larger than %d MiB: the package has too many files in META-INF", maxRecord>>20)
	}
	if err := regular.WriteFile(filepath.Join(outputDir, RecordFile), data, 0o644); err != nil {
		return fmt.Errorf("writing the build record: %w", err)
	}
	return nil
}

// encodeRecord returns the content of a recordFile.
func encodeRecord(record any) ([]byte, error) {
	raw, err := json.Marshal(record)
	if err != nil {
		return nil, fmt.Errorf("encoding the build record: %w", err)
	}
	data, err := json.MarshalIndent(recordFile{recordVersion, sum(raw), raw}, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encoding the build record: %w", err)
	}
	return append(data, '\n'), nil
}

// ReadRecord reads the record in OUTPUT_DIR and verifies the checksums of the record and of all other files. If
// anything is missing or was changed, it returns an ErrPartial that says which directory to delete.
func ReadRecord(outputDir string) (Record, error) {
	record, err := readRecordFile(outputDir, RecordFile)
	if err != nil {
		return Record{}, err
	}
	if err := verifySums(outputDir, record.Files); err != nil {
		return Record{}, partial(outputDir, err)
	}
	return record.Record, nil
}

// ReadRecordOnly reads the record in OUTPUT_DIR and verifies its own checksum, but not the other files.
func ReadRecordOnly(outputDir string) (Record, error) {
	record, err := readRecordFile(outputDir, RecordFile)
	return record.Record, err
}

func readRecordFile(outputDir, name string) (recordWithSums, error) {
	var file recordFile
	path := filepath.Join(outputDir, name)
	data, err := regular.ReadFile(path, maxRecord)
	if err != nil {
		return recordWithSums{}, partial(outputDir, fmt.Errorf("reading %s: %w", path, reason(err)))
	}
	if err := parseJSON(path, data, &file); err != nil {
		return recordWithSums{}, partial(outputDir, err)
	}
	if file.Version > recordVersion {
		return recordWithSums{}, fmt.Errorf("%s has version %d, but this program reads versions up to %d: use a newer program, or %s",
			path, file.Version, recordVersion, RebuildHint(outputDir))
	}
	if file.Version < 1 {
		return recordWithSums{}, partial(outputDir, fmt.Errorf("%s has no version", name))
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, file.Record); err != nil || sum(compact.Bytes()) != file.SHA256 {
		return recordWithSums{}, partial(outputDir, fmt.Errorf("%s does not match its own checksum", name))
	}
	var record recordWithSums
	if err := json.Unmarshal(file.Record, &record); err != nil {
		return recordWithSums{}, partial(outputDir, err)
	}
	return record, nil
}

func partial(outputDir string, cause error) error {
	return fmt.Errorf("%w: %w; %s", ErrPartial, cause, RebuildHint(outputDir))
}

// RebuildHint returns what an operator has to do to replace an unusable build, for an error message. The peer keeps
// OUTPUT_DIR as builds/PACKAGE_ID/bld and does not build again while builds/PACKAGE_ID exists.
func RebuildHint(outputDir string) string {
	kept := outputDir
	if absolute, err := filepath.Abs(outputDir); err == nil && filepath.Base(absolute) == "bld" {
		kept = filepath.Dir(absolute)
	}
	return fmt.Sprintf("delete %s and restart the peer, which then builds the chaincode again", kept)
}

func verifySums(dir string, files map[string]string) error {
	for _, key := range slices.Sorted(maps.Keys(files)) {
		name := key
		if unquoted, err := strconv.Unquote(key); err == nil && key[0] == '"' {
			name = unquoted
		}
		got, err := sumFile(filepath.Join(dir, filepath.FromSlash(name)))
		if err != nil {
			return fmt.Errorf("%s: %w", name, reason(err))
		}
		if got != files[key] {
			return fmt.Errorf("%s does not match its checksum in %s", name, RecordFile)
		}
	}
	return nil
}

// sumFiles returns the SHA-256 of every file in dir except RecordFile, by slash-separated path.
func sumFiles(dir string) (map[string]string, error) {
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil || name == RecordFile {
			return err
		}
		files[fileKey(filepath.ToSlash(name))], err = sumFile(path)
		return err
	})
	return files, err
}

// fileKey returns the key of a file in a record: its path, or that as a string of Go if JSON could not hold it as it is.
func fileKey(path string) string {
	if utf8.ValidString(path) && !strings.HasPrefix(path, `"`) {
		return path
	}
	return strconv.Quote(path)
}

func sumFile(path string) (string, error) {
	file, err := regular.Open(path)
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
