// The parts of scheduler messages in the shape of the v1 API (schema/task.capnp, schema/framework.capnp): written from
// checked structs, and read back into them with every check of form. Private to the codecs; read…() throws (words.h)
// and belongs inside decodeGuarded().
// Pure functions, usable from any thread.
#pragma once

#include "protocol/codec/check.h"
#include "protocol/message/framework.h"
#include "protocol/schema/framework.capnp.h"

#include <string>
#include <string_view>
#include <vector>

namespace stoa::codec {

// Of a command line and of an environment.
inline constexpr std::size_t kMaxArguments = 32'768;

using WireResources = capnp::List<schema::Resource>;
using WireAttributes = capnp::List<schema::Attribute>;

std::size_t wireResourceCount(const Resources& resources);
// Exactly wireResourceCount() elements. `role` is that of an offer's allocation; empty: none is said. In the old form,
// which those without RESERVATION_REFINEMENT read, each says the role that it is reserved for.
void writeResources(const Resources& resources, std::string_view role, WireResources::Builder out,
                    bool old_form = false);
// Several entries of one name add up. Reserved, revocable and shared ones are refused: they are not served.
Resources readResources(WireResources::Reader in);

void writeAttributes(const Attributes& attributes, WireAttributes::Builder out);
Attributes readAttributes(WireAttributes::Reader in);

void writeFrameworkInfo(const FrameworkInfo& info, schema::FrameworkInfo::Builder out);
FrameworkInfo readFrameworkInfo(schema::FrameworkInfo::Reader in);

void writeTaskInfo(const TaskInfo& task, schema::TaskInfo::Builder out);
TaskInfo readTaskInfo(schema::TaskInfo::Reader in);

void writeTaskStatus(const TaskStatus& status, schema::TaskStatus::Builder out);
TaskStatus readTaskStatus(schema::TaskStatus::Reader in);

void writeAddress(const Address& address, schema::Address::Builder out);
Address readAddress(schema::Address::Reader in);

void writeIds(const std::vector<OfferId>& ids, capnp::List<capnp::Text>::Builder out);
std::vector<OfferId> readOfferIds(capnp::List<capnp::Text>::Reader in);

} // namespace stoa::codec
