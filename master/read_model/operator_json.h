// The read model in the shape of the v1 operator API: the answers to the calls that only look, and the events of the
// stream that SUBSCRIBE opens. Stoa's own keys stand beside the known ones (an agent's "state" and "isolation", a
// status's "process"), and two events are its own, told only to those that ask for them: OFFER_ADDED, OFFER_REMOVED.
//
// A stream is a snapshot and then, for each delta, what it changed: applied in order they give the same state again.
//
//     const bool known = knows(model, delta);
//     model.apply(delta);
//     if (std::optional<OperatorEvent> event = eventOf(model, delta, known)) …
//
// Pure functions, usable by whoever owns the model.
#pragma once

#include "master/read_model/read_model.h"
#include "master/read_model/state_json.h"

#include <optional>
#include <string>
#include <string_view>

namespace stoa::master {

// The answer to a call of this type, e.g. "GET_AGENTS"; absent when the read model does not know the answer.
std::optional<std::string> operatorAnswer(std::string_view type, const ReadModel& model, const Identity& identity);

inline constexpr Duration kOperatorHeartbeat = std::chrono::seconds(15);

// The first record of a stream, with all of GET_STATE.
std::string subscribedJson(const ReadModel& model);
std::string heartbeatJson();

struct OperatorEvent {
    std::string json;
    bool offer = false; // of Stoa's own kind
};
// Whether the model has the thing already that the delta is about.
bool knows(const ReadModel& model, const Delta& delta);
// What to tell of a delta that `model` has just applied; `known` is what knows() said before. Absent when the delta
// changed nothing that the stream tells of.
std::optional<OperatorEvent> eventOf(const ReadModel& model, const Delta& delta, bool known);

// Of the master that answers, as the API has it.
std::string masterInfoJson(const Identity& identity);

} // namespace stoa::master
