// Where an agent's HTTP door serves what belongs to a task: files of its sandbox, its output as it grows, and uploads
// that tasks fetch as inputs. Pure functions that make URLs; usable from any thread.
#pragma once

#include "protocol/message/framework.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace stoa::sdk {

// One file of the sandbox, whole. `path` is relative to the sandbox.
std::string sandboxFile(const Address& agent, const FrameworkId& framework, std::string_view task,
                        std::string_view path);
// "stdout" or "stderr" from `offset` on; with `follow` the response ends when the task has ended and all was sent.
std::string outputStream(const Address& agent, const FrameworkId& framework, std::string_view task,
                         std::string_view which, std::uint64_t offset, bool follow);
// Where a PUT stores a file for later tasks, and where these then find it.
std::string uploadedFile(const Address& agent, std::string_view name);
// "http://host:port", an IPv6 address in brackets.
std::string base(const Address& address);

} // namespace stoa::sdk
