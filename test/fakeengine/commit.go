// SPDX-License-Identifier: Apache-2.0

package fakeengine

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

func (e *Engine) commit(c *Call) {
	e.mu.Lock()
	defer e.mu.Unlock()
	found := c.findUsable()
	if found == nil {
		return
	}
	if e.podman && len(c.Body) == 0 {
		c.fail(http.StatusInternalServerError, "Decode(): EOF")
		return
	}
	image := *found.image
	image.Name = reference(c.Query.Get("repo"), c.Query.Get("tag"))
	image.Labels, image.Env = maps.Clone(image.Labels), slices.Clone(image.Env)
	image.Files = found.files.clone()
	image.Layers = append(slices.Clone(image.Layers), layerDigest(found.image.Files.clone(), image.Files))
	if len(found.config.Cmd) > 0 {
		image.Command = found.config.Cmd
	}
	for _, text := range c.Query["changes"] {
		if err := image.apply(text, e.podman); err != nil {
			c.fail(http.StatusBadRequest, "%v", err)
			return
		}
	}
	e.addImage(&image)
	c.answer(http.StatusCreated, map[string]string{"Id": image.id()})
}

// layerDigest returns a digest of the files that a container has added to its image, with their times: the same changes
// give the same layer.
func layerDigest(before, after *Files) string {
	hash := sha256.New()
	for _, name := range after.Names("/") {
		file, _ := after.Get(name)
		if old, ok := before.Get(name); ok && bytes.Equal(old.Content, file.Content) && old.Header.Mode == file.Header.Mode {
			continue
		}
		h := file.Header
		fmt.Fprintln(hash, name, h.Typeflag, h.Mode, h.Uid, h.Gid, h.Linkname, h.ModTime.UnixNano(), len(file.Content))
		hash.Write(file.Content)
	}
	return "sha256:" + hex.EncodeToString(hash.Sum(nil))
}

// apply carries out an instruction of a commit: LABEL "key"="value", ENV key=value, USER name, or CMD ["command"].
func (i *Image) apply(text string, podman bool) error {
	instruction, rest, _ := strings.Cut(text, " ")
	switch instruction {
	case "LABEL":
		key, value, err := quotedPair(rest)
		if err != nil {
			return err
		}
		if podman { // keeps the backslashes of a quoted value
			value = strings.ReplaceAll(value, `"`, `\"`)
		}
		if i.Labels == nil {
			i.Labels = map[string]string{}
		}
		i.Labels[key] = value
	case "ENV":
		i.Env = append(i.Env, rest)
	case "USER":
		i.User = rest
	case "CMD":
		return json.Unmarshal([]byte(rest), &i.Command)
	default:
		return fmt.Errorf("%s is not a valid change command", instruction)
	}
	return nil
}

func quotedPair(text string) (key, value string, err error) {
	quoted, err := strconv.QuotedPrefix(text)
	if err != nil {
		key, value, _ = strings.Cut(text, "=")
		return key, value, nil
	}
	rest, ok := strings.CutPrefix(text[len(quoted):], "=")
	if !ok {
		return "", "", fmt.Errorf("%s is not a pair", text)
	}
	if key, err = strconv.Unquote(quoted); err != nil {
		return "", "", err
	}
	value, err = strconv.Unquote(rest)
	return key, value, err
}
