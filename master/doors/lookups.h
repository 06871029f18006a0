// The GETs that tools know from Mesos: /state, /state-summary, /slaves, /tasks, /frameworks, /roles, /flags, /version,
// /health, /redirect, each also below /master and, where Mesos has it so, with more path behind. Answered from the read
// model on the HTTP server's thread, whatever the method; `?jsonp=name` wraps JSON into a call. And one of ours:
// /api/stoa/fits?resources=cpus:4;mem:1024, whether any agent is large enough.
#pragma once

#include "master/doors/operator_door.h"

#include <memory>

namespace stoa::master {

void routeLookups(http::Router& router, const std::shared_ptr<ReadSide>& read);

} // namespace stoa::master
