// Bytes of what schedulers and the master say to each other. One declaration (schema/framework.capnp), two forms of
// it: Cap'n Proto's flat words over ZeroMQ, and JSON in the shape of the Mesos v1 API over HTTP. Decoding is the door:
// it gives a value that passed every check of form, or a reason that names the field. Never throws.
//
//   socket.send(encode({framework, call::Decline{{offer}, {}}}));
//   absl::StatusOr<AddressedCall> call = callFromJson(request_body);
//
// Pure functions, usable from any thread.
#pragma once

#include "protocol/message/framework.h"

#include <absl/status/statusor.h>

#include <string>
#include <string_view>

namespace stoa {

// A call and who says it; the id is empty in a first SUBSCRIBE.
struct AddressedCall {
    FrameworkId framework;
    Call call;
};

std::string encode(const AddressedCall& call);
std::string encode(const Event& event);
absl::StatusOr<AddressedCall> decodeCall(std::string_view bytes);
absl::StatusOr<Event> decodeEvent(std::string_view bytes);

// The name of the call as its JSON has it: "ACCEPT".
std::string_view callName(const Call& call);

// JSON without line breaks. An event leaves empty lists out, and is what one record of the stream holds.
std::string toJson(const AddressedCall& call);
std::string toJson(const Event& event);
// As a v1 client with these capabilities reads it.
std::string toJson(const Event& event, Capabilities reader);
// InvalidArgument for what is no JSON or has a wrong or missing field; FailedPrecondition for a SUBSCRIBE
// that is well-formed and whose FrameworkInfo can't be; Unimplemented for a type of call that the API knows and Stoa does not serve.
absl::StatusOr<AddressedCall> callFromJson(std::string_view text);
absl::StatusOr<Event> eventFromJson(std::string_view text);

// One task as the API shows it: {"name", "task_id", …, "command", …}, its carried body included. For pages and
// answers about state.
std::string toJson(const TaskInfo& task);
std::string toJson(const TaskStatus& status);
std::string toJson(const Resources& resources); // a list of resources
// What a task shows of itself beside what is decided on: {"labels", "discovery", "health_check", "container",
// "kill_policy", …}, those that it has; not what it runs. A damaged body shows nothing. Labels are an object with a
// list, as in messages, or the list alone, as GETs have them.
enum class LabelForm : bool { kMessage, kList };
std::string shownJson(const Body& body, LabelForm labels);
std::string toJson(const FrameworkInfo& info);
absl::StatusOr<TaskInfo> taskInfoFromJson(std::string_view text);

} // namespace stoa
