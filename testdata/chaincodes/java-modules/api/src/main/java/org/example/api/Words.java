package org.example.api;

import lombok.Value;

/** What is said last. Lombok adds the constructor and the getter. */
@Value
public class Words {
    String text;
}
