#include "protocol/codec/framework_messages.h"

#include "protocol/codec/json_forms.h"
#include "protocol/codec/scheduler.h"
#include "protocol/codec/shape.h"
#include "protocol/codec/v1.h"
#include "protocol/codec/words.h"

#include <array>

namespace stoa {
namespace {

using codec::fromJson;
using codec::jsonOf;

} // namespace

std::string encode(const AddressedCall& call) {
    codec::FlatBuilder builder;
    codec::writeCall(call, builder.root<schema::Call>());
    return builder.bytes();
}

std::string encode(const Event& event) {
    codec::FlatBuilder builder;
    codec::writeEvent(event, builder.root<schema::Event>());
    return builder.bytes();
}

absl::StatusOr<AddressedCall> decodeCall(std::string_view bytes) {
    return codec::decodeGuarded("call", [&] {
        codec::FlatReader reader(bytes);
        return codec::readCall(reader.root<schema::Call>());
    });
}

absl::StatusOr<Event> decodeEvent(std::string_view bytes) {
    return codec::decodeGuarded("event", [&] {
        codec::FlatReader reader(bytes);
        return codec::readEvent(reader.root<schema::Event>());
    });
}

std::string_view callName(const Call& call) {
    // In the order of the variant.
    static constexpr std::array<std::string_view, std::variant_size_v<Call>> kNames = {
        "SUBSCRIBE",   "ACCEPT",    "DECLINE", "REVIVE",   "SUPPRESS", "SET_DEMANDS",     "KILL",
        "ACKNOWLEDGE", "RECONCILE", "MESSAGE", "SHUTDOWN", "TEARDOWN", "UPDATE_FRAMEWORK"};
    return kNames[call.index()];
}

std::string toJson(const AddressedCall& call) {
    return jsonOf<schema::Call>([&](auto out) { codec::writeCall(call, out); });
}

std::string toJson(const Event& event) {
    return jsonOf<schema::Event>([&](auto out) { codec::writeEvent(event, out); });
}

std::string toJson(const Event& event, Capabilities reader) {
    return jsonOf<schema::Event>([&](auto out) {
        codec::writeEvent(event, out,
                          codec::Style{.multi_role = reader.has(Capability::kMultiRole),
                                       .old_reservations = !reader.has(Capability::kReservationRefinement),
                                       .command_executor = true});
    });
}

absl::StatusOr<AddressedCall> callFromJson(std::string_view text) {
    return fromJson<schema::Call>(text, "call", codec::readCall);
}

absl::StatusOr<Event> eventFromJson(std::string_view text) {
    return fromJson<schema::Event>(text, "event", codec::readEvent);
}

std::string toJson(const TaskInfo& task) {
    return jsonOf<schema::TaskInfo>([&](auto out) { codec::writeTaskInfo(task, out); });
}

std::string toJson(const TaskStatus& status) {
    return jsonOf<schema::TaskStatus>([&](auto out) { codec::writeTaskStatus(status, out); });
}

std::string shownJson(const Body& body, LabelForm form) {
    if (body == nullptr || body->empty()) return "{}";
    const auto shown = codec::decodeGuarded("task body", [&] {
        codec::FlatReader reader(*body, kMaxTaskBodyBytes);
        const auto from = reader.root<schema::TaskInfo>();
        // Most tasks have nothing to show, and there are many.
        if (!from.hasLabels() && !from.hasDiscovery() && !from.hasHealthCheck() && !from.hasContainer() &&
            !from.hasKillPolicy()) {
            return std::string("{}");
        }
        std::string rest = jsonOf<schema::TaskInfo>([&](auto out) {
            if (from.hasDiscovery()) out.setDiscovery(from.getDiscovery());
            if (from.hasHealthCheck()) out.setHealthCheck(from.getHealthCheck());
            if (from.hasContainer()) out.setContainer(from.getContainer());
            if (from.hasKillPolicy()) out.setKillPolicy(from.getKillPolicy());
            if (from.hasLabels() && form == LabelForm::kMessage) out.setLabels(from.getLabels());
        });
        if (form == LabelForm::kMessage || from.getLabels().size() == 0) return rest;
        const std::string labels = jsonOf<schema::TaskInfo>([&](auto out) { out.setLabels(from.getLabels()); });
        constexpr std::string_view kBefore = R"({"labels":{"labels":)";
        rest.pop_back();
        return concat(rest, rest.size() > 1 ? "," : "", R"("labels":)",
                      labels.substr(kBefore.size(), labels.size() - kBefore.size() - 2), "}");
    });
    return shown.ok() ? *shown : "{}";
}

std::string toJson(const FrameworkInfo& info) {
    return jsonOf<schema::FrameworkInfo>([&](auto out) { codec::writeFrameworkInfo(info, out); });
}

std::string toJson(const Resources& resources) {
    // The list alone has no message of its own; an offer's is taken out of it.
    std::string out = jsonOf<schema::Call::Requests::Request>([&](auto request) {
        codec::writeResources(resources, {},
                              request.initResources(static_cast<unsigned>(codec::wireResourceCount(resources))));
    });
    constexpr std::string_view kBefore = "{\"resources\":";
    if (!out.starts_with(kBefore)) return "[]";
    return out.substr(kBefore.size(), out.size() - kBefore.size() - 1);
}

absl::StatusOr<TaskInfo> taskInfoFromJson(std::string_view text) {
    return fromJson<schema::TaskInfo>(text, "task", codec::readTaskInfo);
}

} // namespace stoa
