// Labels that mean something to Stoa itself, in one place for those who set and those who read them.
#pragma once

namespace stoa {

// On a framework: it is a batch framework, this is the unix socket of its door for submitters on its host, and its
// webui_url is where the door answers everybody else.
inline constexpr const char* kBatchLabel = "stoa.batch.socket";

} // namespace stoa
