// Old encodings whose tables or error handling the Encoding Standard defines by itself.
const cases = [
    ['gbk', [0x80, 0xa8, 0xbc], '\u20ac\u1e3f'],
    ['gb18030', [0x84, 0x31, 0x82, 0x36, 0xa6, 0xd9, 0x90, 0x30, 0x81, 0x30], '\ufe10\ufe10\u{10000}'],
    ['gb18030', [0x81, 0x30, 0x41], '\ufffd0A'],
    ['shift_jis', [0x82, 0xa0, 0xb1, 0xff, 0x81, 0x41, 0x41], '\u3042\uff71\ufffd\u3001A'],
    ['iso-2022-jp', [0x1b, 0x24, 0x42, 0x24, 0x22, 0x1b, 0x28, 0x42, 0x41, 0x0e], '\u3042A\ufffd'],
    ['iso-8859-16', [0x41, 0xa4, 0xff], 'A\u20ac\u00ff'],
    ['x-user-defined', [0x41, 0x80, 0xff], 'A\uf780\uf7ff'],
];

for (const [label, bytes, text] of cases) {
    test(() => {
        assert_equals(new TextDecoder(label).decode(new Uint8Array(bytes)), text);
    }, `${label}: ${bytes.map((b) => b.toString(16)).join(' ')}`);
    test(() => {
        const decoder = new TextDecoder(label);
        const pieces = bytes.map((b) => decoder.decode(new Uint8Array([b]), { stream: true }));
        assert_equals(pieces.join('') + decoder.decode(), text);
    }, `${label}: the same byte by byte`);
}

for (const label of ['\vutf-8', 'utf-8\u00a0', '\u2028latin1']) {
    test(() => assert_throws_js(RangeError, () => new TextDecoder(label)), `no label: ${escape(label)}`);
}
