#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Builds a Java chaincode: with Gradle or Maven, by the package's own wrapper where it has one, else by the image's, else
# by the image's tool itself; else it takes the jars that came with the package.
set -e
home=/root/chaincode-java
input=/chaincode/input
output=/chaincode/output

# project makes a copy to build in: the input is not written to.
project() {
	work=$(mktemp -d)
	cp -R "$1/." "$work"
	cd "$work"
}

# keep takes the jar that holds everything.
keep() {
	cp "$1" "$output/chaincode.jar"
	touch "$output/.uberjar"
}

for dir in "$input" "$input/src"; do
	if [ -f "$dir/build.gradle" ] || [ -f "$dir/build.gradle.kts" ]; then
		project "$dir"
		gradle=gradle
		if [ -f gradlew ]; then
			gradle=./gradlew
		fi
		"$gradle" build shadowJar -x test
		keep build/libs/chaincode.jar
		exit 0
	fi
	if [ -f "$dir/pom.xml" ]; then
		project "$dir"
		if [ ! -f mvnw ] && [ -f "$home/mvnw" ]; then
			cp -R "$home/.mvn" "$home/mvnw" .
		fi
		maven=mvn
		if [ -f mvnw ]; then
			maven=./mvnw
		fi
		"$maven" --batch-mode --no-transfer-progress package -DskipTests -Dmaven.test.skip=true
		keep target/chaincode.jar
		exit 0
	fi
done

cd "$input"
if [ -z "$(find . -name '*.jar')" ]; then
	echo "neither build.gradle nor pom.xml nor a jar: nothing to build from" >&2
	exit 255
fi
find . -name '*.jar' -exec cp --parents '{}' "$output" ';'
