package org.example.values;

/** Says which keys a chaincode may use. */
public final class Keys {
    private Keys() {
    }

    /** Returns the key, unless it is empty. */
    public static String check(final String key) {
        if (key.isEmpty()) {
            throw new IllegalArgumentException("a key must not be empty");
        }
        return key;
    }
}
