package org.example.app;

import org.apache.commons.lang3.StringUtils;
import org.example.api.Words;

/** Prints its last words and exits with 5. */
public final class Main {
    private Main() {
    }

    public static void main(final String[] args) {
        Words words = new Words("last words");
        System.out.println("main: " + StringUtils.trim(words.getText()));
        System.exit(5);
    }
}
