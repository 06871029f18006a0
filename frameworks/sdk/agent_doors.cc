#include "frameworks/sdk/agent_doors.h"

#include "protocol/host_port.h"
#include "protocol/http/message.h"
#include "protocol/strings.h"

namespace stoa::sdk {

std::string base(const Address& address) { return concat("http://", hostAndPort(address.host, address.port)); }

std::string sandboxFile(const Address& agent, const FrameworkId& framework, std::string_view task,
                        std::string_view path) {
    // A command task's executor has the id of the task.
    const std::string sandbox = concat("/frameworks/", framework.value(), "/executors/", task, "/runs/latest/", path);
    return concat(base(agent), "/files/download?path=", http::percentEncodePath(sandbox));
}

std::string outputStream(const Address& agent, const FrameworkId& framework, std::string_view task,
                         std::string_view which, std::uint64_t offset, bool follow) {
    return concat(base(agent), "/api/stoa/sandbox/", http::percentEncodePath(framework.value()), "/",
                  http::percentEncodePath(task), "/", which, "?offset=", offset, "&follow=", follow ? 1 : 0);
}

std::string uploadedFile(const Address& agent, std::string_view name) {
    return concat(base(agent), "/api/stoa/uploads/", http::percentEncodePath(name));
}

} // namespace stoa::sdk
