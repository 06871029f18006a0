// Whole scheduler messages between checked structs and the schema's words; framework_messages.cc puts bytes or JSON
// around them. Private to the codecs; read…() throws (words.h) and belongs inside decodeGuarded().
// Pure functions, usable from any thread.
#pragma once

#include "protocol/codec/framework_messages.h"
#include "protocol/schema/framework.capnp.h"

namespace stoa::codec {

void writeCall(const AddressedCall& call, schema::Call::Builder out);
AddressedCall readCall(schema::Call::Reader in);
void writeEvent(const Event& event, schema::Event::Builder out);
Event readEvent(schema::Event::Reader in);

} // namespace stoa::codec
