package imagebuild

import (
	"archive/tar"
	"bufio"
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"

	"github.com/containerd/errdefs"

	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/internal/metadata"
)

// userOf is whom an image's processes run as, in numbers: files that only they may read need them. Only the image
// itself knows what a name means.
func (b *Builder) userOf(ctx context.Context, name string, image docker.Image) (owner metadata.Owner, err error) {
	user, _, _ := strings.Cut(image.User, ":")
	if user == "" || user == "root" {
		return metadata.Owner{}, nil
	}
	if owner, err := ownerOf(image.User); err == nil {
		return owner, nil
	}
	if owner, err := ownerOf(user); err == nil { // with a group by name
		return owner, nil
	}
	err = b.look(ctx, name, func(id string) error {
		owner, err = b.userIn(ctx, id, name, user)
		return err
	})
	return owner, err
}

// userIn looks a user up in a container of an image.
func (b *Builder) userIn(ctx context.Context, id, image, user string) (metadata.Owner, error) {
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

// lookAhead finds out whom the image will run as while the build goes on. What goes wrong there is met again when the
// image is made. The caller waits before it reads the job, and before it ends.
func (b *Builder) lookAhead(ctx context.Context, j *job) *sync.WaitGroup {
	var looking sync.WaitGroup
	looking.Go(func() {
		if user, err := b.userOf(ctx, j.plan.Runtime.Name, j.runtime); err == nil {
			j.user = &user
		}
	})
	return &looking
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
