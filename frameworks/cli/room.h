// Why a task finds no place, in a person's words, from what the master says of its agents. Functions without state.
#pragma once

#include "frameworks/cli/command.h"
#include "protocol/resources/resources.h"

#include <string>
#include <vector>

namespace stoa::cli {

struct Room {
    bool possible = false; // some agent could hold it if it were empty
    std::string words;     // why it can't be, or what is in the way now; several lines
};

// `agents` is the master's answer to /slaves.
Room roomFor(const Json& agents, const Resources& shape, const std::vector<Constraint>& constraints);

// Of the master's explanation of one demand: how much of a gang fits, in a line; empty when it is no gang.
std::string gangInWords(const Json& demand);
// Whether a gang could ever be placed on the agents that are there.
bool gangFitsEver(const Json& demand);

// The resources of {"cpus": 4, "mem": 1024, …}.
Resources scalarsOf(const Json& resources);

} // namespace stoa::cli
