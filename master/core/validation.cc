#include "master/core/validation.h"

#include "protocol/strings.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_split.h>

#include <algorithm>
#include <set>

namespace stoa::master {

namespace {

// What an element of a list takes besides its text.
constexpr std::size_t kListEntry = 32;

absl::Status validateDescription(std::string_view what, std::size_t size) {
    if (size <= kMostDescription) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat(toAbsl(what), "'s texts, lists and labels take ", size,
                                                   " bytes together; at most ", kMostDescription, " are kept"));
}

} // namespace

absl::Status validateAmounts(std::string_view what, const Resources& resources) {
    for (std::size_t i = 0; i < Resources::kScalars; ++i) {
        std::int64_t amount = resources.scalars()[i];
        if (amount < 0 || amount > kMostOfAScalar) {
            return absl::InvalidArgumentError(absl::StrCat(toAbsl(what), ": ", toAbsl(Resources::kScalarNames[i]), " ",
                                                           amount / 1000, " is out of range (0 to ",
                                                           kMostOfAScalar / 1000, ")"));
        }
    }
    return absl::OkStatus();
}

absl::Status validateId(std::string_view what, std::string_view id) {
    if (id.empty()) return absl::InvalidArgumentError(absl::StrCat(toAbsl(what), " is empty"));
    if (id.size() > kLongestId) {
        return absl::InvalidArgumentError(
            absl::StrCat(toAbsl(what), " is ", id.size(), " bytes long; at most ", kLongestId, " are allowed"));
    }
    bool bad = std::any_of(id.begin(), id.end(),
                           [](unsigned char c) { return c < 0x20 || c == 0x7f || c == '/' || c == '\\'; });
    if (bad || id == "." || id == "..") {
        return absl::InvalidArgumentError(
            absl::StrCat(toAbsl(what), " \"", toAbsl(id),
                         "\" may not be \".\" or \"..\", nor hold '/', '\\' or control characters"));
    }
    return absl::OkStatus();
}

absl::Status validateRole(std::string_view role) {
    auto bad = [role](std::string_view why) {
        return absl::InvalidArgumentError(absl::StrCat("role \"", toAbsl(role), "\" ", toAbsl(why)));
    };
    if (role == "*") return absl::OkStatus();
    if (role.empty()) return bad("is empty; the default role is \"*\"");
    if (role.size() > kLongestId) return bad("is too long");
    for (absl::string_view part : absl::StrSplit(toAbsl(role), '/')) {
        if (part.empty()) return bad("has an empty part: no leading, trailing or double '/'");
        if (part.front() == '-') return bad("has a part that begins with '-'");
        if (part == "." || part == ".." || part == "*") return bad("has a part that is \".\", \"..\" or \"*\"");
        for (unsigned char c : part) {
            if (c <= 0x20 || c == 0x7f || c == '\\') return bad("holds white space, '\\' or a control character");
        }
    }
    return absl::OkStatus();
}

absl::Status validate(const FrameworkInfo& info) {
    if (!info.id.empty()) {
        if (absl::Status id = validateId("framework id", info.id.value()); !id.ok()) return id;
    }
    if (info.name.size() > kLongestName) return absl::InvalidArgumentError("the framework's name is too long");
    if (info.user.size() > kLongestId) return absl::InvalidArgumentError("the framework's user is too long");
    if (info.roles.empty()) return absl::InvalidArgumentError("the framework has no role; the default is \"*\"");
    for (const std::string& role : info.roles) {
        if (absl::Status valid = validateRole(role); !valid.ok()) return valid;
    }
    if (std::set<std::string>(info.roles.begin(), info.roles.end()).size() != info.roles.size()) {
        return absl::InvalidArgumentError("the framework names a role twice");
    }
    if (info.failover_timeout < Duration::zero() || info.failover_timeout > Filters::kLongestRefuse) {
        return absl::InvalidArgumentError("failover_timeout must be between 0 and 365 days");
    }
    std::size_t size = info.name.size() + info.hostname.size() + info.webui_url.size() + info.principal.size();
    for (const std::string& role : info.roles) size += role.size() + kListEntry;
    for (const auto& [key, value] : info.labels) size += key.size() + value.size() + kListEntry;
    return validateDescription("the framework", size);
}

absl::Status validate(const AgentInfo& info) {
    if (!info.id.empty()) {
        if (absl::Status id = validateId("agent id", info.id.value()); !id.ok()) return id;
    }
    if (absl::Status host = validateId("hostname", info.hostname); !host.ok()) return host;
    if (info.resources.empty()) return absl::InvalidArgumentError("the agent has no resources to offer");
    // A range takes more in binary than the few digits it may have.
    std::size_t size =
        info.address.host.size() + info.isolation.size() + info.version.size() + info.resources.toString().size() * 4;
    for (const auto& attribute : info.attributes)
        size += attribute.name.size() + toString(attribute).size() * 4 + kListEntry;
    if (absl::Status fits = validateDescription("the agent", size); !fits.ok()) return fits;
    return validateAmounts("the agent's resources", info.resources);
}

absl::Status validate(const TaskInfo& task) {
    if (absl::Status id = validateId("task id", task.id.value()); !id.ok()) return id;
    if (!task.executor.empty()) {
        if (absl::Status id = validateId("executor id", task.executor.value()); !id.ok()) return id;
    }
    if (task.name.size() > kLongestName) return absl::InvalidArgumentError("the task's name is too long");
    if (task.body == nullptr) return absl::InvalidArgumentError("the task has nothing to run");
    if (task.resources.empty()) return absl::InvalidArgumentError("the task asks for no resources");
    return validateAmounts("the task's resources", task.resources);
}

absl::Status validate(const std::vector<Demand>& demands, const FrameworkInfo& framework) {
    if (demands.size() > kMostDemands) {
        return absl::InvalidArgumentError(
            absl::StrCat(demands.size(), " demands; at most ", kMostDemands, " are allowed at once"));
    }
    std::set<std::string> names;
    for (const Demand& demand : demands) {
        std::string what = absl::StrCat("demand \"", demand.name, "\"");
        if (!names.insert(demand.name).second) return absl::InvalidArgumentError(what + " is named twice");
        if (demand.shape.empty()) return absl::InvalidArgumentError(what + " asks for no resources");
        if (absl::Status amounts = validateAmounts(what, demand.shape); !amounts.ok()) return amounts;
        if (demand.count > kMostOfADemand) {
            return absl::InvalidArgumentError(absl::StrCat(what, " asks for ", demand.count, " pieces; at most ",
                                                           kMostOfADemand, " are allowed at once"));
        }
        if (std::find(framework.roles.begin(), framework.roles.end(), demand.role) == framework.roles.end()) {
            return absl::InvalidArgumentError(
                absl::StrCat(what, " is for role \"", demand.role, "\", which the framework did not subscribe with"));
        }
    }
    return absl::OkStatus();
}

} // namespace stoa::master
