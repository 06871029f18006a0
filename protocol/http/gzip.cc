#include "protocol/http/gzip.h"

#include "protocol/strings.h"

#include <absl/strings/match.h>
#include <boost/beast/zlib/deflate_stream.hpp>
#include <boost/crc.hpp>

#include <cstdint>

namespace stoa::http {

namespace {

// Fast rather than small: it is done on the server's thread.
constexpr int kLevel = 1;
constexpr int kWindowBits = 15;
constexpr int kMemoryLevel = 8;

void appendLittleEndian(std::string& out, std::uint32_t number) {
    for (int shift = 0; shift < 32; shift += 8) out += static_cast<char>(number >> shift & 0xff);
}

} // namespace

bool acceptsGzip(std::string_view accept_encoding) {
    for (const std::string_view each : split(accept_encoding, ',')) {
        const std::size_t semicolon = each.find(';');
        const std::string_view coding = trimmed(each.substr(0, semicolon));
        if (!absl::EqualsIgnoreCase(toAbsl(coding), "gzip") && coding != "*") continue;
        const std::string_view weight = semicolon == std::string_view::npos ? "" : each.substr(semicolon);
        const std::size_t quality = weight.find("q=");
        return quality == std::string_view::npos ||
               weight.find_first_of("123456789", quality) != std::string_view::npos;
    }
    return false;
}

std::string gzip(std::string_view text) {
    namespace zlib = boost::beast::zlib;
    std::string out("\x1f\x8b\x08\x00\x00\x00\x00\x00\x04\xff", 10); // deflate, no name, no time, fast, any system
    const std::size_t header = out.size();
    zlib::deflate_stream stream;
    stream.reset(kLevel, kWindowBits, kMemoryLevel, zlib::Strategy::normal);
    out.resize(header + stream.upper_bound(text.size()));
    zlib::z_params params;
    params.next_in = text.data();
    params.avail_in = text.size();
    params.next_out = out.data() + header;
    params.avail_out = out.size() - header;
    boost::system::error_code error;
    stream.write(params, zlib::Flush::finish, error);
    out.resize(header + params.total_out);
    boost::crc_32_type crc;
    crc.process_bytes(text.data(), text.size());
    appendLittleEndian(out, crc.checksum());
    appendLittleEndian(out, static_cast<std::uint32_t>(text.size()));
    return out;
}

} // namespace stoa::http
