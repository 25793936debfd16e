package imagebuild

import (
	"archive/tar"
	"bufio"
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/containerd/errdefs"

	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/internal/metadata"
)

// userOf is whom an image's processes run as, in numbers: files that only they may read need them. Only the image
// itself knows what a name means.
func (b *Builder) userOf(ctx context.Context, name string, image docker.Image) (owner metadata.Owner, err error) {
	if owner, ok := inNumbers(image.User); ok {
		return owner, nil
	}
	err = b.look(ctx, name, func(id string) error {
		owner, err = b.userIn(ctx, id, name, image.User)
		return err
	})
	return owner, err
}

// inNumbers is a user that an image gives in numbers, perhaps with a group by name.
func inNumbers(user string) (metadata.Owner, bool) {
	if owner, err := ownerOf(user); err == nil {
		return owner, true
	}
	name, _, _ := strings.Cut(user, ":")
	if name == "" || name == "root" {
		return metadata.Owner{}, true
	}
	owner, err := ownerOf(name)
	return owner, err == nil
}

// userIn looks a user up in a container of an image, where it is not in numbers.
func (b *Builder) userIn(ctx context.Context, id, image, user string) (metadata.Owner, error) {
	if owner, ok := inNumbers(user); ok {
		return owner, nil
	}
	user, _, _ = strings.Cut(user, ":")
	archive, err := b.Engine.Download(ctx, id, "/etc/passwd")
	if errdefs.IsNotFound(err) {
		if _, gone := b.Engine.Inspect(ctx, id); gone != nil {
			return metadata.Owner{}, gone
		}
		return metadata.Owner{}, fmt.Errorf("image %q runs as user %q and has no /etc/passwd: give the user in numbers", image, user)
	}
	if err != nil {
		return metadata.Owner{}, err
	}
	defer archive.Close()
	owner, err := lookUp(archive, user)
	if err != nil {
		return metadata.Owner{}, fmt.Errorf("looking up the user of image %q: %w", image, err)
	}
	return owner, nil
}

// ownerOf reads UID, or UID:GID.
func ownerOf(text string) (metadata.Owner, error) {
	uid, gid, both := strings.Cut(text, ":")
	if !both {
		gid = "0"
	}
	var owner metadata.Owner
	var err error
	if owner.UID, err = strconv.Atoi(uid); err != nil {
		return metadata.Owner{}, fmt.Errorf("%q is no UID:GID", text)
	}
	if owner.GID, err = strconv.Atoi(gid); err != nil {
		return metadata.Owner{}, fmt.Errorf("%q is no UID:GID", text)
	}
	return owner, nil
}

// lookUp finds a user in a tar that holds /etc/passwd.
func lookUp(archive io.Reader, user string) (metadata.Owner, error) {
	passwd := tar.NewReader(archive)
	if _, err := passwd.Next(); err != nil {
		return metadata.Owner{}, fmt.Errorf("reading /etc/passwd: %w", err)
	}
	for lines := bufio.NewScanner(passwd); lines.Scan(); {
		fields := strings.Split(lines.Text(), ":") // name:password:uid:gid:…
		if len(fields) >= 4 && fields[0] == user {
			return ownerOf(fields[2] + ":" + fields[3])
		}
	}
	return metadata.Owner{}, fmt.Errorf("%q is not in /etc/passwd", user)
}
