#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds a Node chaincode: its source and its production dependencies.
set -e
cp -R /chaincode/input/src/. /chaincode/output/
cd /chaincode/output
if [ -f package-lock.json ] || [ -f npm-shrinkwrap.json ]; then
	npm ci --omit=dev
else
	npm install --omit=dev
fi
