package imagebuild

import (
	"archive/tar"
	"bufio"
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"

	"fabric-builder-docker/internal/metadata"
)

// owner finds out whom the runtime image's processes run as, in numbers: files that only they may read need them.
func (b *Builder) owner(ctx context.Context, j *job, id string) (metadata.Owner, error) {
	image, err := b.Engine.Image(ctx, j.plan.Runtime.Name)
	if err != nil {
		return metadata.Owner{}, err
	}
	user, _, _ := strings.Cut(image.User, ":")
	if image.User == "" || user == "root" {
		return metadata.Owner{}, nil
	}
	if owner, err := ownerOf(image.User); err == nil {
		return owner, nil
	}
	archive, err := b.Engine.Download(ctx, id, "/etc/passwd")
	if err != nil {
		return metadata.Owner{}, err
	}
	defer archive.Close()
	owner, err := lookUp(archive, user)
	if err != nil {
		return metadata.Owner{}, fmt.Errorf("looking up the user of the runtime image %q: %w", j.plan.Runtime.Name, err)
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
