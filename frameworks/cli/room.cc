#include "frameworks/cli/room.h"

#include "frameworks/cli/table.h"
#include "protocol/strings.h"

#include <algorithm>
#include <cmath>

namespace stoa::cli {

namespace {

Attributes attributesOf(const Json& agent) {
    Attributes attributes;
    const Json& all = at(agent, "attributes");
    if (!all.IsObject()) return attributes;
    for (const auto& member : all.GetObject()) {
        Attribute attribute;
        attribute.name = member.name.GetString();
        if (member.value.IsNumber()) {
            attribute.value = Milli{std::llround(member.value.GetDouble() * 1000)};
        } else if (member.value.IsString()) {
            attribute.value = std::string(member.value.GetString());
        }
        attributes.push_back(std::move(attribute));
    }
    return attributes;
}

// How far short, as a share of what is asked; for the nearest miss.
double distance(const Resources& has, const Resources& shape) {
    double worst = 0;
    for (std::size_t i = 0; i < Resources::kScalars; ++i) {
        if (shape.scalars()[i] <= 0) continue;
        const auto lack = static_cast<double>(shape.scalars()[i] - has.scalars()[i]);
        worst = std::max(worst, lack / static_cast<double>(shape.scalars()[i]));
    }
    return worst;
}

} // namespace

Resources scalarsOf(const Json& resources) {
    Resources result;
    for (std::size_t i = 0; i < Resources::kScalars; ++i) {
        const double value = numberAt(resources, std::string(Resources::kScalarNames[i]).c_str());
        if (value > 0 && value < 1e15)
            result.setScalar(static_cast<Resources::Scalar>(i), Milli{std::llround(value * 1000)});
    }
    return result;
}

bool gangFitsEver(const Json& demand) {
    return integerAt(at(demand, "gang"), "pieces_fit_ever") >= integerAt(demand, "count");
}

std::string gangInWords(const Json& demand) {
    const Json& gang = at(demand, "gang");
    if (!gang.IsObject()) return "";
    std::string words = concat("needs ", integerAt(demand, "count"), " pieces at once");
    if (const std::int64_t most = integerAt(gang, "most_per_agent"); most > 0) {
        words += concat(", at most ", most, " an agent");
    }
    const std::int64_t now = integerAt(gang, "pieces_fit_now");
    const std::int64_t ever = integerAt(gang, "pieces_fit_ever");
    if (!gangFitsEver(demand)) {
        words += concat("; at most ", ever, " fit, even if nothing else ran");
    } else {
        words += concat("; ", now, " fit now, ", ever, " if nothing else ran");
    }
    if (const std::int64_t agents = integerAt(gang, "agents_being_cleared"); agents > 0) {
        words += concat("; room is being cleared for it on ", counted(agents, "agent"));
    }
    return words;
}

Room roomFor(const Json& agents, const Resources& shape, const std::vector<Constraint>& constraints) {
    Room room;
    std::string nearest;
    double nearest_by = 1e9;
    std::size_t active = 0;
    Table lines({"AGENT", "HOST", "WHY NOT"});
    for (const Json& agent : listAt(agents, "slaves")) {
        const std::string id = textAt(agent, "id");
        const std::string host = concat(textAt(agent, "hostname"), ":", integerAt(agent, "port"));
        if (!truthAt(agent, "active")) {
            lines.row({id, host, "it is " + textAt(agent, "state")});
            continue;
        }
        ++active;
        const Attributes attributes = attributesOf(agent);
        const auto broken = std::find_if(constraints.begin(), constraints.end(),
                                         [&](const Constraint& c) { return !satisfied(c, attributes); });
        if (broken != constraints.end()) {
            lines.row({id, host, "does not satisfy " + toString(*broken)});
            continue;
        }
        const Resources total = scalarsOf(at(agent, "resources"));
        Resources free = total;
        for (const char* held : {"used_resources", "offered_resources"})
            free.subtract(scalarsOf(at(agent, held))).IgnoreError();
        const bool ever = total.contains(shape);
        room.possible |= ever;
        const std::string lack = ever ? free.shortfall(shape) : total.shortfall(shape);
        if (lack.empty()) continue; // it fits here; it is on its way
        lines.row({id, host, ever ? lack + " free" : lack + " in all"});
        const double by = distance(ever ? free : total, shape) + (ever ? 0 : 1000);
        if (by < nearest_by) {
            nearest_by = by;
            nearest = concat("nearest miss: ", host, " ", lack, ever ? " free at the moment" : " in all");
        }
    }
    if (active == 0) {
        room.possible = true; // one may come
        room.words = "no agent is there";
        return room;
    }
    room.words = room.possible ? "" : concat("no agent is large enough for ", shape.toString(), "\n");
    if (!nearest.empty()) room.words += nearest + "\n";
    if (!lines.empty()) room.words += lines.text();
    while (!room.words.empty() && room.words.back() == '\n') room.words.pop_back();
    return room;
}

} // namespace stoa::cli
