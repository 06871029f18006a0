// The parts of messages and records in their compact form (schema/agent_master.capnp): written from checked structs,
// and read back into them with every check of form. The codecs of agent messages and of both stores' records are put
// together from these. read() throws (words.h) and belongs inside decodeGuarded().
// Pure functions, usable from any thread.
#pragma once

#include "protocol/codec/check.h"
#include "protocol/message/agent.h"
#include "protocol/schema/agent_master.capnp.h"

namespace stoa::codec {

namespace compact = schema::compact;

void write(const Resources& resources, schema::Bundle::Builder out);
void write(const AgentInfo& info, compact::AgentInfo::Builder out);
void write(const Incarnation& incarnation, compact::Incarnation::Builder out);
void write(const FrameworkInfo& info, compact::FrameworkInfo::Builder out);
void write(const TaskInfo& task, compact::TaskInfo::Builder out);
void write(const ExecutorInfo& executor, compact::ExecutorInfo::Builder out);
void write(const TaskStatus& status, compact::TaskStatus::Builder out);
void write(const AgentTask& task, compact::AgentTask::Builder out);

Resources read(schema::Bundle::Reader in);
AgentInfo read(compact::AgentInfo::Reader in);
Incarnation read(compact::Incarnation::Reader in);
FrameworkInfo read(compact::FrameworkInfo::Reader in);
TaskInfo read(compact::TaskInfo::Reader in);
ExecutorInfo read(compact::ExecutorInfo::Reader in);
TaskStatus read(compact::TaskStatus::Reader in);
AgentTask read(compact::AgentTask::Reader in);

// Empty strings and absent numbers stay null pointers: most of a message's fields are empty most of the time.
template <class Setter>
void setUnlessEmpty(const std::string& value, Setter setter) {
    if (!value.empty()) setter(asText(value));
}

TaskState readState(schema::TaskState state, std::string_view field);
std::vector<std::string> readRoles(capnp::List<capnp::Text>::Reader in, std::string_view field);
Labels readLabels(capnp::List<schema::Label>::Reader in, std::string_view field);
void writeLabels(const Labels& labels, capnp::List<schema::Label>::Builder out);
using WireCapabilities = capnp::List<schema::FrameworkInfo::Capability>;
// One that we don't know is left out.
Capabilities readCapabilities(WireCapabilities::Reader in, std::string_view field);
std::vector<schema::FrameworkInfo::Capability> wireCapabilities(Capabilities capabilities);
void writeCapabilities(Capabilities capabilities, WireCapabilities::Builder out);
Ranges readRanges(capnp::List<schema::Range>::Reader in, std::string_view field);
void writeRanges(const Ranges& ranges, capnp::List<schema::Range>::Builder out);

} // namespace stoa::codec
