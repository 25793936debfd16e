// SPDX-License-Identifier: Apache-2.0

package baseimage

import (
	"archive/tar"
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/internal/metadata"
)

// User returns the UID and GID that an image's processes run as, for files that only they may read. A user name is looked
// up in the image itself.
func (i Images) User(ctx context.Context, image docker.Image) (*metadata.UIDGID, error) {
	if owner, ok := parseNumericUser(image.User); ok {
		return &owner, nil
	}
	var owner metadata.UIDGID
	err := i.WithContainer(ctx, image.ID, func(id string) (err error) {
		owner, err = ResolveUser(ctx, i.Engine, id, image)
		return err
	})
	return &owner, err
}

// ResolveUser returns the UID and GID of an image's user. It looks up a user name in /etc/passwd of a container of that
// image. Its error wraps [docker.ErrNoContainer] if the container is gone.
func ResolveUser(ctx context.Context, engine Reader, id string, image docker.Image) (metadata.UIDGID, error) {
	if owner, ok := parseNumericUser(image.User); ok {
		return owner, nil
	}
	user, _, _ := strings.Cut(image.User, ":")
	archive, err := engine.Download(ctx, id, "/etc/passwd")
	if errors.Is(err, docker.ErrNoPath) {
		return metadata.UIDGID{}, fmt.Errorf("image %q runs as user %q and has no /etc/passwd: set a numeric USER in the image", image.Name, user)
	}
	if err != nil {
		return metadata.UIDGID{}, err
	}
	defer archive.Close()
	owner, err := findInPasswd(archive, user)
	if err != nil {
		return metadata.UIDGID{}, fmt.Errorf("looking up the user of image %q: %w", image.Name, err)
	}
	return owner, nil
}

// parseNumericUser parses a user that needs no lookup: a number (the group may be a name), root, or none.
func parseNumericUser(user string) (metadata.UIDGID, bool) {
	if owner, err := ParseUIDGID(user); err == nil {
		return owner, true
	}
	name, _, _ := strings.Cut(user, ":")
	if name == "" || name == "root" {
		return metadata.UIDGID{}, true
	}
	owner, err := ParseUIDGID(name)
	return owner, err == nil
}

// ParseUIDGID parses UID or UID:GID.
func ParseUIDGID(text string) (metadata.UIDGID, error) {
	uid, gid, both := strings.Cut(text, ":")
	if !both {
		gid = "0"
	}
	var owner metadata.UIDGID
	var err error
	if owner.UID, err = strconv.Atoi(uid); err != nil {
		return metadata.UIDGID{}, fmt.Errorf("invalid user %q: expected UID:GID", text)
	}
	if owner.GID, err = strconv.Atoi(gid); err != nil {
		return metadata.UIDGID{}, fmt.Errorf("invalid user %q: expected UID:GID", text)
	}
	return owner, nil
}

// findInPasswd finds a user in a tar archive that contains /etc/passwd.
func findInPasswd(archive io.Reader, user string) (metadata.UIDGID, error) {
	passwd := tar.NewReader(archive)
	if _, err := passwd.Next(); err != nil {
		return metadata.UIDGID{}, fmt.Errorf("reading /etc/passwd: %w", err)
	}
	for lines := bufio.NewScanner(passwd); lines.Scan(); {
		fields := strings.Split(lines.Text(), ":") // name:password:uid:gid:…
		if len(fields) >= 4 && fields[0] == user {
			return ParseUIDGID(fields[2] + ":" + fields[3])
		}
	}
	return metadata.UIDGID{}, fmt.Errorf("%q is not in /etc/passwd", user)
}
