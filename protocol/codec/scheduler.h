// Whole scheduler messages between checked structs and the schema's words; framework_messages.cc puts bytes or JSON
// around them. Private to the codecs; read…() throws (words.h) and belongs inside decodeGuarded().
// Pure functions, usable from any thread.
#pragma once

#include "protocol/codec/framework_messages.h"
#include "protocol/schema/framework.capnp.h"

namespace stoa::codec {

void writeCall(const AddressedCall& call, schema::Call::Builder out);
AddressedCall readCall(schema::Call::Reader in);
// How an event is put to its reader. As it stands: whole, for the SDK's own driver.
struct Style {
    bool multi_role = true;        // offers and their resources say for which role they are
    bool old_reservations = false; // resources say whom they are reserved for by `role`
    bool command_executor = false; // a command task's updates name its task as executor
};
void writeEvent(const Event& event, schema::Event::Builder out, Style style = {});
Event readEvent(schema::Event::Reader in);

} // namespace stoa::codec
