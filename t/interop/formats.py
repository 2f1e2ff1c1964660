"""Reads a .meta4 or .torrent with parsers that are not ours: prints JSON."""

import hashlib
import json
import sys
import xml.etree.ElementTree as xml

NS = '{urn:ietf:params:xml:ns:metalink}'


def meta4(data):
    root = xml.fromstring(data)
    assert root.tag == NS + 'metalink', root.tag
    (file,) = root.findall(NS + 'file')
    (publisher,) = file.findall(NS + 'publisher')
    pieces = file.findall(NS + 'pieces')
    return {
        'name': file.get('name'),
        'publisher': publisher.attrib,
        'size': file.findtext(NS + 'size'),
        'hashes': [[h.get('type'), h.text] for h in file.findall(NS + 'hash')],
        'pieces': [[p.get('type'), p.get('length'), [h.text for h in p]]
                   for p in pieces],
        'urls': [[u.text, u.attrib] for u in file.findall(NS + 'url')],
        'order': [child.tag[len(NS):] for child in file],
    }


def bdecode(data, at=0):
    """BEP 3, strictly: returns the value and where it ends."""
    c = data[at:at + 1]
    if c == b'i':
        end = data.index(b'e', at)
        number = int(data[at + 1:end])
        assert b'%d' % number == data[at + 1:end], 'another spelling'
        return number, end + 1
    if c == b'l':
        values, at = [], at + 1
        while data[at:at + 1] != b'e':
            value, at = bdecode(data, at)
            values.append(value)
        return values, at + 1
    if c == b'd':
        values, at, last = {}, at + 1, None
        while data[at:at + 1] != b'e':
            key, at = bdecode(data, at)
            assert last is None or last < key, 'keys out of order'
            values[key.decode()], end = bdecode(data, at)
            if key == b'info':
                values['infohash'] = hashlib.sha1(data[at:end]).hexdigest()
            last, at = key, end
        return values, at + 1
    colon = data.index(b':', at)
    length = int(data[at:colon])
    assert b'%d' % length == data[at:colon], 'another spelling'
    end = colon + 1 + length
    assert end <= len(data), 'cut short'
    return data[colon + 1:end], end


def torrent(data):
    value, end = bdecode(data)
    assert end == len(data), 'something behind it'
    pieces = value['info'].pop('pieces')
    assert len(pieces) % 20 == 0, 'half a SHA-1'
    value['info']['pieces'] = [pieces[i:i + 20].hex()
                               for i in range(0, len(pieces), 20)]
    return value


reader = {'meta4': meta4, 'torrent': torrent}[sys.argv[1]]
with open(sys.argv[2], 'rb') as f:
    print(json.dumps(reader(f.read()), default=bytes.decode))
