@0xad8a40f9d6d36123;
# How a message of our schemas stands in the other encodings. Where nothing is said, the rule holds:
#
# - A field's JSON name is its own in snake_case (taskInfos: "task_infos"), an enumerant's in UPPER_SNAKE (taskLost:
#   "TASK_LOST").
# - Enumerant 0 of every enum is `unset`: the field is absent from other encodings, and so is a null pointer.
# - A group with a union of `unset` and `value` is an optional primitive.
# - Other primitives are always there.
# - The ids of the annotations are named in protocol/codec/shape.cc.
# - Data is base64 in JSON; 64-bit integers are numbers.
using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("stoa::schema");

# The JSON name, where the rule does not give it.
annotation name @0xb77bab8888736710 (field, group, union, enumerant) :Text;

# The field's or enumerant's number in the Mesos v1 protobuf messages. Stoa's own additions count from 1000.
annotation number @0xb1e412a9ad4aa6ac (field, group, union, enumerant) :UInt32;

# In the other encodings the value stands alone in a message of one field, this one, with number 1:
# `taskId :Text $inside("value")` is {"task_id": {"value": "t1"}}. Of a list it is the list that stands
# inside; for its elements see `each`.
annotation inside @0x87ee4d527b5d4409 (field, group, union) :Text;

# As `inside`, for each element of a list: [{"value": "o1"}, {"value": "o2"}].
annotation each @0x91a494b966c67c46 (field) :Text;

# An integer here, a number with so many decimals in the other encodings: 1500 with 3 decimals is 1.5.
annotation decimals @0xe1f122d656a99bb9 (field, group, union) :UInt8;

# A list of structs of a key and a value here, an object in JSON, a map in protobuf.
annotation map @0xe685ae7505c791cf (field) :Void;

# Missing in JSON or protobuf, the message is refused.
annotation required @0xd7a8ad7789398e25 (field, group, union) :Void;
