/*
 * The byte form of structured clones: what both directions share.
 *
 * The first byte says the form. BINARY: one value follows, as below. JSON_TEXT: the rest is JSON as UTF-8, for
 * values that are nothing but that. A later version of the format takes other numbers.
 *
 * A value is a tag and what it needs. Numbers without a sign are varints (7 bits a byte, low ones first). Every
 * object takes the next number when its tag is met (a view after its buffer), and REF names one by it: so
 * cycles and shared references survive.
 */
export const BINARY = 1, JSON_TEXT = 2;

export const UNDEFINED = 0, NULL = 1, FALSE = 2, TRUE = 3,
    INT = 4, // zigzag varint
    NUMBER = 5, // 8 bytes, little endian
    BIGINT = 6, // sign byte, hexadecimal digits as a string
    LATIN1 = 7, UTF8 = 8, UTF16 = 9, // length in bytes, bytes
    REF = 10,
    OBJECT = 11, // key, value, ..., END
    ARRAY = 12, // length, that many values
    SPARSE = 13, // length, key, value, ..., END
    MAP = 14, // key, value, ..., END
    SET = 15, // value, ..., END
    DATE = 16, REGEXP = 17, BOXED = 18, // a primitive follows
    BUFFER = 19, // length, bytes
    RESIZABLE = 20, // length, maximum, bytes
    VIEW = 21, // kind, buffer, offset, length in elements
    ERROR = 22, // class, flags, [message], [stack], [name], [errors], [cause], own properties ..., END
    DOM_EXCEPTION = 23, // name, message
    BLOB = 24, // type, length, bytes
    FILE = 25, // name, type, time, length, bytes
    EXTERNAL = 26, // whatever options.external wrote
    END = 255;

/* Bits of the flags of an ERROR. */
export const HAS_MESSAGE = 1, HAS_STACK = 2, HAS_NAME = 4, HAS_CAUSE = 8, HAS_ERRORS = 16;

export const ERROR_CLASSES = ["Error", "EvalError", "RangeError", "ReferenceError", "SyntaxError", "TypeError", "URIError", "AggregateError", "SuppressedError"];
export const VIEW_CLASSES = ["DataView", "Int8Array", "Uint8Array", "Uint8ClampedArray", "Int16Array", "Uint16Array", "Int32Array", "Uint32Array",
    "Float32Array", "Float64Array", "BigInt64Array", "BigUint64Array", "Float16Array"];
