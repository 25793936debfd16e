package org.example.kv;

import org.example.values.Keys;
import org.hyperledger.fabric.contract.Context;
import org.hyperledger.fabric.contract.ContractInterface;
import org.hyperledger.fabric.contract.annotation.Contract;
import org.hyperledger.fabric.contract.annotation.Default;
import org.hyperledger.fabric.contract.annotation.Transaction;
import org.hyperledger.fabric.shim.ChaincodeException;

/** Keeps values by key. */
@Contract(name = "KV")
@Default
public final class KV implements ContractInterface {
    @Transaction
    public void put(final Context ctx, final String key, final String value) {
        ctx.getStub().putStringState(Keys.check(key), value);
    }

    @Transaction(intent = Transaction.TYPE.EVALUATE)
    public String get(final Context ctx, final String key) {
        final String value = ctx.getStub().getStringState(Keys.check(key));
        if (value.isEmpty()) {
            throw new ChaincodeException("no value for key \"" + key + "\"");
        }
        return value;
    }
}
