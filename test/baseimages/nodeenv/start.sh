#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Starts a Node chaincode with the arguments that the peer gives.
set -e
cd /usr/local/src
npm start -- "$@"
