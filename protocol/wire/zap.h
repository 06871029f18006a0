// Whom a CURVE server admits: answers what ZeroMQ asks for each connection (ZAP, rfc.zeromq.org/spec/27), by the public
// keys of the credentials. The principal then comes with each message as its User-Id.
// Private to this folder; owned by the acceptor's network thread. Made before the server's socket binds.
#pragma once

#include "protocol/credentials/credentials.h"
#include "protocol/wire/zeromq.h"

namespace stoa {

class ZapDesk {
public:
    ZapDesk(const zeromq::Context& context, SharedCredentials credentials);
    int fd() const { return socket_.fd(); }
    // Answers all that was asked.
    void serve();

private:
    const SharedCredentials credentials_;
    zeromq::Socket socket_;
};

} // namespace stoa
