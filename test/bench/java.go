// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
)

// warmedRepository is the image that both ways use if the Java image is a stand-in.
const warmedRepository = prefix + "-javaenv"

// warmScript leaves in ~/.m2 what the official image has there: the shim's own artifact, published without its
// dependencies, and what creating a Maven wrapper leaves. It also leaves that wrapper, through which the image's
// build.sh calls Maven; the wrapper downloads Maven into ~/.m2 when it is called. The plugin that fetches the artifact
// uses a separate repository.
const warmScript = `mkdir -p /tmp/warm /root/.m2/repository/org
cd /tmp/warm
mvn --batch-mode --no-transfer-progress -q -Dmaven.repo.local=/tmp/warm/repository dependency:get -Dtransitive=false -Dartifact=org.hyperledger.fabric-chaincode-java:fabric-chaincode-shim:2.5.8
cp -R /tmp/warm/repository/org/hyperledger /root/.m2/repository/org/
find /root/.m2/repository/org/hyperledger -name _remote.repositories -delete
cd /root/chaincode-java
mvn --batch-mode --no-transfer-progress -q -N wrapper:wrapper
rm -rf /tmp/warm
`

// warmJava fills the Maven repository of the Java image like the official one's, once.
func (b *bench) warmJava(ctx context.Context) error {
	if b.warmed != "" || !standInImage(b.images.javaenv) {
		return nil
	}
	if err := b.makeWarmed(ctx); err != nil {
		return fmt.Errorf("warming the Java image: %w", err)
	}
	b.warmed = warmedRepository + ":warmed"
	b.builtin.images.javaenv = b.warmed
	var err error
	b.builder, err = b.newBuilder("ours-java", prefix, b.host, nil)
	return err
}

func (b *bench) makeWarmed(ctx context.Context) (err error) {
	id, err := b.container(ctx, b.images.javaenv, warmScript, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.remove(ctx, id)) }()
	if _, err := b.runToEnd(ctx, id); err != nil {
		return err
	}
	query := url.Values{"container": {id}, "repo": {warmedRepository}, "tag": {"warmed"}}
	return b.engine.Post(ctx, "/commit?"+query.Encode(), nil, &struct{}{})
}
