'use strict';

const KV = require('./lib/kv');

module.exports.contracts = [KV];
