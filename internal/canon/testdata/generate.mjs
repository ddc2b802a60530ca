// Makes vectors.json with the real libraries: legacy is JSON.stringify(JSON.parse(raw)),
// sorted is safe-stable-stringify 2.5.0, as sdk-standard-components 19.19.1 uses it.
// It was run with node 20 in an empty directory, PACKAGE being this package's path:
//   npm install --no-save safe-stable-stringify@2.5.0 && node PACKAGE/testdata/generate.mjs > vectors.json
// An argument asks for that many random texts instead of 300.
import { createRequire } from 'node:module'
import { join } from 'node:path'

const require = createRequire(join(process.cwd(), 'here.js'))
const stable = require('safe-stable-stringify')

// mulberry32: the same texts each time.
let state = 20260421
function random () {
  state = (state + 0x6D2B79F5) | 0
  let t = Math.imul(state ^ (state >>> 15), 1 | state)
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296
}
const below = n => Math.floor(random() * n)
const pick = list => list[below(list.length)]

const fixed = [
  // member order
  '{"b":2,"a":1}', '{"10":1,"9":2,"a":0}', '{"a":0,"9":2,"10":1}', '{"b":{"d":1,"c":2},"a":[{"z":1,"y":2}]}',
  '{"1":0,"01":0,"0":0,"-1":0,"1.5":0,"1e3":0}', '{"x":1,"":2}', '{"aa":1,"a":2,"ab":3,"B":4,"_":5}',
  '{"4294967294":1,"4294967295":2,"4294967293":3,"0":4}', '{"4294967296":1,"4294967295":2}', '{"b":1,"99999999999":2,"7":3}',
  '{"9007199254740992":1,"9007199254740991":2,"5":3}', '{"z":1,"2":2,"y":3,"1":4,"x":5,"0":6}', '{"00":1,"0":2}', '{" 1":1,"1":2}',
  '{"\u00e9":1,"e":2,"\u00ea":3,"z":4}', '{"\u20ac":1,"\\r":2,"\ufb33":3,"1":4,"\ud83d\ude00":5,"\u0080":6,"\u00f6":7}',
  '{"\ufb00":1,"\ud83d\ude00":2}', '{"\ud83d\ude00":1,"\ufb00":2}', '{"\uffff":1,"\ud800\udc00":2,"\ue000":3,"\ud7ff":4}',
  '{"a\ud83d\ude00":1,"a\ufb00":2,"a":3}', '{"\ud83d\ude01":1,"\ud83d\ude00":2}', '{"\ud83e\udd14":1,"\ud83d\ude00":2,"\u65e5":3}',
  '{"\\ud83d":1,"\ud83d\ude00":2}', '{"\ud83d\ude00":1,"\\ud83d":2}', '{"\\ud83dz":1,"\ud83d\ude00":2,"\\ud83d\ufb00":3}',
  '{"\\ude00":1,"\ud83d\ude00":2,"\\ud83d":3,"\ue000":4,"\ud7ff":5}', '{"\\ud83e":1,"\\ud83d":2,"\\ud83d\\ud83d":3,"\ud83d\ude00":4}',
  '{"\\ud83d\ud83d\ude00":1,"\ud83d\ude00\ud83d\ude00":2}', '{"\\u0062":1,"a":2}', '{"\\u0031":1,"b":0,"\\u0030":2}', '{"b":1,"\\/":2,"\\"":3,"\\\\":4}',
  '{"k\\n":1,"k\\t":2,"k":3}', '{"\\ud83d\\ude00":1,"\ufb00":2,"\\ufb00a":3}',
  // duplicates
  '{"z":1,"a":2,"z":3}', '{"a":1,"a":2}', '{"a":1,"b":2,"a":3,"b":4,"a":5}', '{"a":1,"\\u0061":2}', '{"\\u0061":1,"b":0,"a":2}',
  '{"a":{"x":1},"b":2,"a":{"y":1,"y":2}}', '{"a":{"b":1,"b":2},"a":3}', '{"1":1,"b":2,"1":3,"0":4}', '{"b":1,"2":2,"a":3,"2":4,"1":5,"b":6}',
  '[{"a":1,"a":2},{"b":1,"a":2,"b":3}]', '{"":1,"":2}', '{"\\ud800":1,"a":2,"\\uD800":3}', '{"\ud83d\ude00":1,"\\ud83d\\ude00":2}',
  '{"__proto__":1,"__proto__":2}', '{"a":1,"b":1,"c":1,"b":2}', '{"c":1,"c":[1e2],"b":{"2":1,"1":2}}',
  // names that mean something to JavaScript
  '{"__proto__":1}', '{"b":1,"__proto__":{"a":1},"a":2}', '{"constructor":1,"toString":2,"hasOwnProperty":3}', '{"toJSON":"x","length":3}',
  '{"valueOf":null,"prototype":{}}', '{"__proto__":null,"0":1}', '{"__proto__":[],"\\u005f_proto__":{}}',
  // empty and top-level values
  '{}', '[]', '""', '0', '-0', 'null', 'true', 'false', '"a"', '1.0', '[[]]', '[{}]', '{"a":{}}', '{"a":[]}', '{"":{}}', '[null,true,false]',
  ' { } ', '\t[\n]\r\n', ' "x" ', '\n1\n', '[ 1 , 2 ]', '{ "b" : 1 , "a" : [ 1 , { "d" : 2 , "c" : 3 } ] }', '[[],[[]],[[[]]]]', '[{},{"a":{}},[]]',
  // strings
  '"\\u0000\\u0001\\u001f\\u007f"', '"\\b\\t\\n\\f\\r"', '"\\u0008\\u0009\\u000a\\u000c\\u000d"', '"\\u000b"', '"\\u000B"', '"\\u001F"', '"\\/"', '"/"', '"\\""', '"\\\\"',
  '"\\u0022\\u005c\\u002f"', '"\\u003c\\u003e\\u0026"', '"<>&"', '"\\u2028\\u2029"', '"\u2028\u2029"', '"\u007f"', '"\\u007F"', '"\\u00e9"', '"\u00e9"', '"\\u00E9e\\u0301"',
  '"\ud83d\ude00"', '"\\ud83d\\ude00"', '"\\uD83D\\uDE00"', '"\\ud83d"', '"\\uDE00"', '"\\uDE00\\uD83D"', '"\\ud83d\\ud83d\\ude00"', '"\\ud83dx\\ude00"', '"\\ud83d\\u0041"',
  '"\\ud83d\\n"', '"\\udbff\\udfff"', '"\\ud800\\udc00"', '"\\uFFFF\\uFFFE\\uE000"', '"\ufeff"', '"\ufffd"', '"\\ufffd"', '"\u65e5\u672c\u8a9e"', '"\u0627\u0644"', '"a\\u0000b"', '"12345678\\n12345678"',
  '"1234567\\"12345678"', '"12345678901234567890\u00e912345678"', '{"a":"x\\/y\\u003c\\u0026"}', '"\\\\u0041"', '"\\\\\\u0041"', '"\\\\\\\\"', '"' + 'x'.repeat(300) + '"', '"' + '\\u00e9'.repeat(60) + '"',
  // a quote as it travels
  '{"quoteId":"7c23e80c-d078-4077-8263-2c047876fcf6","transactionId":"85feac2f-39b2-491b-817e-4a03203d4f14","payee":{"partyIdInfo":{"partyIdType":"MSISDN","partyIdentifier":"27713803912","fspId":"payeefsp"}},"payer":{"personalInfo":{"complexName":{"firstName":"Mats","lastName":"Hagman"},"dateOfBirth":"1983-10-25"},"partyIdInfo":{"partyIdType":"IBAN","partyIdentifier":"SE4550000000058398257466","fspId":"payerfsp"}},"amountType":"RECEIVE","amount":{"amount":"100","currency":"USD"},"transactionType":{"scenario":"TRANSFER","initiator":"PAYER","initiatorType":"CONSUMER"},"note":"From Mats","geoCode":{"latitude":"57.323889","longitude":"125.520001"},"expiration":"2017-05-24T08:40:00.000-04:00","extensionList":{"extension":[{"key":"k1","value":"v1"},{"key":"k2","value":"v2"}]}}',
  '{"errorInformation":{"errorCode":"3105","errorDescription":"Invalid signature","extensionList":{"extension":[{"key":"keyword","value":"x"}]}}}'
]

const numbers = [
  '0', '-0', '-0.0', '0e0', '0.0', '0e400', '-0E-400', '0.000', '1', '-1', '1.0', '1.50', '1e2', '1E2', '1e+2', '1e-2', '10', '100e-2', '0.1', '0.01', '0.10', '0.000001', '0.0000001', '1e-6',
  '1e-7', '1.5e-7', '12.5e-8', '0.00000123', '123e-20', '1e20', '1e21', '1e22', '12e20', '12e19', '123456789e12', '123456789e13', '1.5e20', '1.5e21', '-1e21', '-1e-7', '123456789012345',
  '1234567890123456', '12345678901234567', '123456789012345678901', '9007199254740991', '9007199254740992', '9007199254740993', '9007199254740994', '-9007199254740993', '9007199254740995',
  '18446744073709551615', '9223372036854775807', '0.30000000000000004', '0.3', '0.1000000000000000055', '0.1000000000000000055511151231257827021181583404541015625', '3.141592653589793', '3.1415926535897932384626',
  '1e308', '1.7976931348623157e308', '1.7976931348623158e308', '1.7976931348623159e308', '1.8e308', '1e309', '1e400', '-1e400', '1e99999999999999999999', '1e-99999999999999999999', '5e-324', '4e-324', '3e-324',
  '2.4703282292062327e-324', '2.4703282292062328e-324', '2e-324', '1e-400', '-1e-400', '2.2250738585072014e-308', '2.2250738585072011e-308', '4.35', '0.000035', '1.005', '123.456', '1234.5678e4', '1234.5678e2', '99999999999999999999',
  '999999999999999900000', '999999999999999900001', '1000000000000000000000', '1000000000000000128', '4.5e15', '4503599627370496.5', '4503599627370497.5', '1.00000000000000011102230246251565', '1.00000000000000011102230246251566',
  '0.' + '0'.repeat(400) + '1e401', '1' + '0'.repeat(400) + 'e-400', '0.' + '9'.repeat(60), '1.' + '0'.repeat(60), '1.' + '0'.repeat(60) + '1', '9'.repeat(400) + 'e-391', '1e0', '1e000', '1e-0', '1e+00', '1e00002',
  // the samples of RFC 8785 appendix B
  '-5e-324', '-1.7976931348623157e+308', '-9007199254740992', '295147905179352830000', '9.999999999999997e+22', '1e+23', '1.0000000000000001e+23', '999999999999999700000', '999999999999999900000',
  '9.999999999999997e-7', '333333333.3333332', '333333333.33333325', '333333333.3333333', '333333333.3333334', '333333333.33333343', '-0.0000033333333333333333', '1424953923781206.2'
]

const names = ['a', 'b', 'c', 'aa', 'ab', 'A', 'Z', '_', '', '0', '1', '2', '9', '10', '11', '100', '01', '1.0', '-1', '4294967294', '4294967295', '\u00e9', '\u00e8', '\u20ac', '\ufb00', '\ud83d\ude00', '\ud83d\ude01', '\ue000',
  '\ud7ff', '\\ud83d', '\\ude00', '\\ud83d\\ude00', '\\u0061', '\\u0031', '\\n', '\\"', '\\\\', '\\/', '__proto__', 'toJSON', 'constructor', 'amount', 'amountType', 'payer', 'payee']
const pieces = ['x', 'Hello', ' ', '12345678', '\u00e9', '\u65e5\u672c', '\ud83d\ude00', '\u2028', '<&>', '\\u003c', '\\/', '/', '\\n', '\\u000a', '\\u001F', '\\u001f', '\\b', '\\"', '\\\\', '\\ud83d', '\\uDE00', '\\ude00', '\\u0041', '\\u00E9']
const spaces = ['', '', '', '', '', ' ', '\n', '\t', '\r\n  ']
const roots = ['payer', '1', 'x']

function text () {
  let s = ''
  for (let i = below(5); i > 0; i--) s += pick(pieces)
  return '"' + s + '"'
}

function double () {
  const view = new DataView(new ArrayBuffer(8))
  view.setUint32(0, below(2 ** 32))
  view.setUint32(4, below(2 ** 32))
  const value = view.getFloat64(0)
  return Number.isFinite(value) ? pick([String(value), value.toExponential(16), value.toPrecision(17), value.toExponential(15)]) : '7'
}

function number () {
  switch (below(5)) {
    case 0: return String(below(1e6))
    case 1: return double()
    case 2: return (below(2) ? '-' : '') + below(1000) + '.' + below(1e9)
    case 3: return below(1e9) + pick(['e', 'E', 'e+', 'e-', 'E-']) + below(30)
    default: return pick(numbers.filter(n => n.length < 60))
  }
}

function value (depth, space) {
  const gap = () => space ? pick(spaces) : ''
  const kind = below(depth > 0 ? 8 : 4)
  if (kind === 0) return text()
  if (kind === 1) return number()
  if (kind === 2) return pick(['true', 'false', 'null', '{}', '[]', '""'])
  if (kind === 3) return text()
  const items = []
  for (let i = below(6); i > 0; i--) {
    const item = gap() + value(depth - 1, space) + gap()
    items.push(kind < 6 ? gap() + '"' + pick(names) + (below(3) ? '' : pick(roots)) + '"' + gap() + ':' + item : item)
  }
  return kind < 6 ? '{' + gap() + items.join(',') + '}' : '[' + gap() + items.join(',') + ']'
}

const raws = [...fixed, ...numbers, '[' + numbers.filter(n => n.length < 60).join(', ') + ']']
for (let i = Number(process.argv[2] ?? 300); i > 0; i--) {
  let raw
  do raw = value(1 + below(5), below(2) === 0)
  while (!/^[{[]/.test(raw) && below(8) > 0)
  raws.push(raw)
}

const vectors = [...new Set(raws)].map(raw => {
  const parsed = JSON.parse(raw)
  return JSON.stringify({ raw, sorted: stable(parsed), legacy: JSON.stringify(parsed) })
})
process.stdout.write('[\n' + vectors.join(',\n') + '\n]\n')
