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
func (b *Builder) userOf(ctx context.Context, name string, image docker.Image) (*metadata.Owner, error) {
	owner, ok := inNumbers(image.User)
	if ok {
		return &owner, nil
	}
	err := b.look(ctx, name, func(id string) (err error) {
		owner, err = OwnerIn(ctx, b.Engine, id, name, image.User)
		return err
	})
	return &owner, err
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

// Contents is what a look into a container needs of an engine.
type Contents interface {
	Inspect(ctx context.Context, id string) (docker.Container, error)
	Download(ctx context.Context, id, path string) (io.ReadCloser, error)
}

// OwnerIn looks a user up in a container of an image, where it is not in numbers. Its error IsNotFound if the container
// is gone.
func OwnerIn(ctx context.Context, engine Contents, id, image, user string) (metadata.Owner, error) {
	if owner, ok := inNumbers(user); ok {
		return owner, nil
	}
	user, _, _ = strings.Cut(user, ":")
	archive, err := engine.Download(ctx, id, "/etc/passwd")
	if errdefs.IsNotFound(err) {
		if _, gone := engine.Inspect(ctx, id); gone != nil {
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
