'use strict';

const { Contract } = require('fabric-contract-api');

// KV keeps values by key.
class KV extends Contract {
    async put(ctx, key, value) {
        await ctx.stub.putState(key, Buffer.from(value));
    }

    async get(ctx, key) {
        const value = await ctx.stub.getState(key);
        if (value.length === 0) {
            throw new Error(`no value for key "${key}"`);
        }
        return value.toString();
    }
}

module.exports = KV;
