// Import attributes: `with {type: "json"}`, of a statement or of import().

const ATTRIBUTE_TYPES = { json: 'json', text: 'text', bytes: 'data' };

export function checkAttributes(record, specifier, attributes) {
    if (attributes === null) return;
    for (const key of Object.keys(attributes))
        if (key !== 'type' || !Object.hasOwn(ATTRIBUTE_TYPES, attributes.type))
            throw new TypeError('Unrecognized import attributes specified');
    if (attributes.type === undefined) return;
    if (record.kind !== 'asset' || record.type !== ATTRIBUTE_TYPES[attributes.type])
        throw new TypeError(`Module "${specifier}" is not of type "${attributes.type}"`);
}

export function readOptions(options) {
    if (options === undefined) return null;
    if (typeof options !== 'object' || options === null)
        throw new TypeError('The second argument of import() must be an object');
    const attributes = options.with;
    if (attributes === undefined) return null;
    if (typeof attributes !== 'object' || attributes === null)
        throw new TypeError("The 'with' option of import() must be an object");
    const read = {};
    for (const key of Object.keys(attributes)) {
        if (typeof attributes[key] !== 'string') throw new TypeError('Import attribute value must be a string');
        read[key] = attributes[key];
    }
    return Object.keys(read).length > 0 ? read : null;
}
