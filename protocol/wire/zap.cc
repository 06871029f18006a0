#include "protocol/wire/zap.h"

#include "protocol/wire/curve.h"

#include <glog/logging.h>

#include <cerrno>
#include <string>
#include <utility>
#include <vector>

namespace stoa {
namespace {

constexpr char kAddress[] = "inproc://zeromq.zap.01";
constexpr std::size_t kKeyBytes = 32;

// What a request consists of, in order.
enum Part : std::uint8_t { kVersion, kRequest, kDomain, kPeer, kIdentity, kMechanism, kCredentials, kParts };

} // namespace

ZapDesk::ZapDesk(const zeromq::Context& context, SharedCredentials credentials)
    : credentials_(std::move(credentials)), socket_(context, ZMQ_REP) {
    socket_.set(ZMQ_LINGER, 0);
    CHECK_EQ(zmq_bind(socket_.get(), kAddress), 0) << zmq_strerror(errno);
    serve(); // nothing is there, but only who has found nothing is woken by the next
}

void ZapDesk::serve() {
    std::vector<std::string> parts;
    while (zeromq::receiveParts(socket_, parts)) {
        const bool form = parts.size() == kParts && parts[kVersion] == "1.0" && parts[kMechanism] == "CURVE" &&
                          parts[kCredentials].size() == kKeyBytes;
        const Admitted* who = form ? credentials_->withKey(keyText(parts[kCredentials])) : nullptr;
        if (who == nullptr) {
            LOG_EVERY_T(WARNING, 1) << "refused a connection from " << (parts.size() > kPeer ? parts[kPeer] : "")
                                    << ": its key is nobody's whom --credentials admits";
        }
        const std::string request = parts.size() > kRequest ? parts[kRequest] : "";
        zeromq::sendParts(socket_, {"1.0", request, who != nullptr ? "200" : "400",
                                    who != nullptr ? "OK" : "unknown key", who != nullptr ? who->principal : "", ""});
    }
}

} // namespace stoa
