#include "tests/sim/whatif/cluster.h"

#include "master/core/validation.h"
#include "protocol/strings.h"
#include "tests/sim/whatif/rows.h"

#include <absl/strings/numbers.h>

#include <algorithm>
#include <set>
#include <utility>

namespace stoa::sim {

namespace {

constexpr std::size_t kMostNamed = 12; // values that an error lists

std::string listed(const std::set<std::string>& names) {
    std::string text;
    std::size_t count = 0;
    for (const std::string& name : names) {
        if (++count > kMostNamed) return concat(text, ", …");
        text += concat(text.empty() ? "" : ", ", name);
    }
    return text;
}

absl::Status checkAgent(const Resources& resources) {
    if (resources.empty()) return invalid("an agent without resources is of no use; write cpus:16;mem:65536");
    return master::validateAmounts("an agent's resources", resources);
}

// As many machines, named after their class and numbered on.
absl::Status grow(Cluster& cluster, const std::string& model, std::uint32_t count, const Resources& resources,
                  const Attributes& attributes, std::string_view name) {
    if (cluster.machines.size() + count > kMostMachines) {
        return invalid("that makes more than ", kMostMachines, " agents, the most that a master admits");
    }
    for (std::uint32_t i = 1; i <= count; ++i) {
        cluster.machines.push_back({concat(name, "-", i), model, resources, attributes});
    }
    return absl::OkStatus();
}

bool isOf(const Machine& machine, std::string_view text, const Constraint& constraint) {
    if (text.starts_with("class=")) return machine.model == text.substr(6);
    if (text.starts_with("host=")) return machine.name == text.substr(5) || machine.model == text.substr(5);
    return satisfied(constraint, machine.attributes);
}

} // namespace

absl::StatusOr<std::uint32_t> Cluster::add(std::string_view text) {
    const std::size_t times = text.find('x');
    std::uint32_t count = 0;
    if (times == std::string_view::npos || !absl::SimpleAtoi(toAbsl(text.substr(0, times)), &count) || count == 0) {
        return invalid("\"", text, "\" is not COUNTxCLASS, as in 10xsmall");
    }
    const std::string_view model = text.substr(times + 1);
    const auto like = std::find_if(machines.begin(), machines.end(), [&](const Machine& machine) {
        return machine.model == model || machine.name == model;
    });
    Machine made;
    if (like != machines.end()) {
        made = *like;
    } else if (model.find(':') != std::string_view::npos) {
        absl::StatusOr<Resources> resources = Resources::parse(model);
        if (!resources.ok()) return resources.status();
        if (absl::Status checked = checkAgent(*resources); !checked.ok()) return checked;
        made = {"", std::string(model), *std::move(resources), {}};
    } else {
        std::set<std::string> models;
        for (const Machine& machine : machines) models.insert(machine.model);
        return invalid("there is no class \"", model, "\"; there are ", listed(models),
                       ", or write resources: 10xcpus:16;mem:65536");
    }
    const std::string name = concat("added-", machines.size());
    if (absl::Status grown = grow(*this, made.model, count, made.resources, made.attributes, name); !grown.ok()) {
        return grown;
    }
    return count;
}

absl::StatusOr<std::vector<bool>> Cluster::remove(std::string_view text) {
    absl::StatusOr<Constraint> constraint = parseConstraint(text);
    if (!constraint.ok()) return constraint.status();
    std::vector<bool> gone;
    gone.reserve(machines.size());
    std::set<std::string> values;
    for (const Machine& machine : machines) {
        gone.push_back(isOf(machine, text, *constraint));
        for (const Attribute& attribute : machine.attributes)
            values.insert(concat(attribute.name, "=", toString(attribute)));
        values.insert("class=" + machine.model);
    }
    const auto left = static_cast<std::size_t>(std::count(gone.begin(), gone.end(), false));
    if (left == machines.size()) return invalid("no agent is of \"", text, "\"; there are ", listed(values));
    if (left == 0) return invalid("\"", text, "\" takes every agent away; nothing could run");
    std::size_t at = 0;
    std::erase_if(machines, [&](const Machine&) { return gone[at++]; });
    return gone;
}

Resources::Scalars Cluster::total() const {
    Resources::Scalars total{};
    for (const Machine& machine : machines) {
        for (std::size_t i = 0; i < Resources::kScalars; ++i) total[i] += machine.resources.scalars()[i];
    }
    return total;
}

absl::StatusOr<Cluster> parseCluster(std::string_view file, std::string_view text) {
    static const Columns kColumns{{"class", "resources"}, {"count", "attributes"}};
    Cluster cluster;
    std::set<std::string> classes;
    absl::Status read = readRows(file, text, kColumns, [&](const Row& row) {
        const std::string& model = row.at("class");
        if (absl::Status named = master::validateId("the name", model); !named.ok()) {
            return row.wrong("class", toStd(named.message()));
        }
        if (!classes.insert(model).second) return row.wrong("class", concat("\"", model, "\" stands there twice"));
        std::uint32_t count = 1;
        if (const std::string& cell = row.at("count");
            !cell.empty() && (!absl::SimpleAtoi(cell, &count) || count == 0)) {
            return row.wrong("count", concat("\"", cell, "\" is no number of agents; write 1 or more"));
        }
        absl::StatusOr<Resources> resources = Resources::parse(row.at("resources"));
        absl::Status checked = resources.ok() ? checkAgent(*resources) : resources.status();
        if (!checked.ok()) return row.wrong("resources", toStd(checked.message()));
        absl::StatusOr<Attributes> attributes = Attributes();
        if (!row.at("attributes").empty()) attributes = parseAttributes(row.at("attributes"));
        if (!attributes.ok()) return row.wrong("attributes", toStd(attributes.status().message()));
        absl::Status grown = grow(cluster, model, count, *resources, *attributes, model);
        return grown.ok() ? grown : row.wrong("count", toStd(grown.message()));
    });
    if (!read.ok()) return read;
    return cluster;
}

} // namespace stoa::sim
