# syntax=docker/dockerfile:1
# The image: one static binary and nothing else.
#
# glibc is linked in (`+crt-static`), for that needs no other toolchain than the one that runs the tests. It is safe here
# because nothing of it is loaded at run time: the API server is reached by the address that the kubelet puts into the
# environment, and name resolution reads /etc/hosts and /etc/resolv.conf without plug-ins. There are no authorities of the
# public web in it either: the API server's is the one beside the account's token.
FROM rust:1.95-bookworm AS build
WORKDIR /source
COPY . .
# Named explicitly, so that the flag is for the program alone and not for build scripts and macros, which cannot be
# static.
RUN target="$(rustc --print host-tuple)" \
 && RUSTFLAGS="-C target-feature=+crt-static" \
    cargo build --locked --release --bin regcred --target "$target" \
 && mv "target/$target/release/regcred" /regcred

FROM scratch
COPY --from=build /regcred /regcred
# Numeric, so that the kubelet can tell that it is not root. The Deployment sets the same.
USER 65532:65532
EXPOSE 8443 8080
ENTRYPOINT ["/regcred"]
