#!/usr/bin/env bash
# Gathers what `gatepost doctor` reads of a Postfix server, and changes nothing. Run it as root on that server:
#
#     bash collect-postfix.sh [--redact] [FOLDER]
#
# It reads settings, the mail log of today, the certificates that the settings name, DNS, and one session with the next
# hop up to the end of STARTTLS. It reads no password map and copies no private key. With --redact the part of mail
# addresses before the @ is replaced.
set -u
redact=@REDACT@
if [ "${1:-}" = "--redact" ]; then
    redact=1
    shift
fi
host=$(hostname -s 2>/dev/null || hostname)
folder=${1:-gatepost-evidence-$host-$(date +%Y%m%d-%H%M)}
lines=4000
umask 077
mkdir -p "$folder" || exit 2

names_hidden() {
    if [ "$redact" = 1 ]; then
        sed -E 's/[A-Za-z0-9.!#$%&*+=?^_{|}~-]+@/user@/g'
    else
        cat
    fi
}

# shown FILE COMMAND: the command at a prompt, and what it prints, at the end of FILE.
shown() {
    local file=$folder/$1
    shift
    {
        printf 'root@%s:~# %s\n' "$host" "$*"
        bash -c "$*" 2>&1 </dev/null
        printf '\n'
    } | names_hidden >>"$file"
}

setting() { postconf -h "$1" 2>/dev/null | tr -d '[:space:]'; }

if ! command -v postconf >/dev/null 2>&1; then
    echo "$0: postconf is not in PATH; run it as root on the Postfix server" >&2
    exit 2
fi

shown server.txt 'date -u'
shown server.txt 'cat /etc/os-release | head -2'
shown server.txt 'openssl version'
shown postconf.txt 'postconf mail_version'
shown postconf.txt 'postconf -n'
shown master.cf.txt 'postconf -M'
shown master.cf.txt 'postconf -P'
shown queue.txt 'postqueue -p | tail -60'

for log in /var/log/mail.log /var/log/maillog /var/log/mail/mail.log; do
    if [ -r "$log" ]; then
        tail -n $lines "$log" | names_hidden >"$folder/mail.log"
        break
    fi
done
if [ ! -s "$folder/mail.log" ] && command -v journalctl >/dev/null 2>&1; then
    journalctl --no-pager -o short-iso -t postfix/smtp -t postfix/smtpd -t postfix/qmgr -t postfix/cleanup \
        -n $lines 2>/dev/null | names_hidden >"$folder/mail.log"
fi

# Certificates only: of a file that also holds a key, the key stays where it is.
for name in smtp_tls_cert_file smtp_tls_eccert_file smtp_tls_chain_files smtpd_tls_cert_file smtpd_tls_chain_files \
    smtp_tls_CAfile; do
    for file in $(postconf -h "$name" 2>/dev/null | tr ',' ' '); do
        [ -r "$file" ] || continue
        if [ "$name" = smtp_tls_CAfile ] && [ "$(grep -c BEGIN "$file")" -gt 20 ]; then
            continue # the system's list
        fi
        sed -n '/-----BEGIN CERTIFICATE-----/,/-----END CERTIFICATE-----/p' "$file" >"$folder/$name.pem"
        file=$(printf %q "$file")
        shown certificates.txt "openssl x509 -noout -subject -issuer -serial -dates -fingerprint -sha1 -ext subjectAltName,extendedKeyUsage,keyUsage -in $file"
        shown certificates.txt "openssl x509 -noout -pubkey -in $file | sha256sum"
        shown certificates.txt "ls -l $file"
    done
done
for name in smtp_tls_key_file smtpd_tls_key_file; do
    file=$(setting "$name" | sed "s|^\$smtpd_tls_cert_file\$|$(setting smtpd_tls_cert_file)|; s|^\$smtp_tls_cert_file\$|$(setting smtp_tls_cert_file)|")
    if [ -n "$file" ] && [ -r "$file" ]; then
        file=$(printf %q "$file")
        shown certificates.txt "openssl pkey -pubout -in $file | sha256sum"
        shown certificates.txt "ls -l $file"
    fi
done

# Lists that tell who may relay and which way mail goes; never the one with passwords.
for name in relay_clientcerts transport_maps smtp_tls_policy_maps sender_canonical_maps; do
    for map in $(postconf -h "$name" 2>/dev/null | tr ',' ' '); do
        file=${map#*:}
        if [ -r "$file" ] && [ -f "$file" ]; then
            shown maps.txt "cat $(printf %q "$file")"
        fi
    done
done

shown resolver.txt 'cat /etc/resolv.conf'
shown resolver.txt "cat $(setting queue_directory)/etc/resolv.conf"
next=$(setting relayhost)
port=${next##*]}
port=${port#:}
name=${next#[}
name=${name%%]*}
case $next in
    \[*) ;;
    *:*) name=${next%%:*} port=${next##*:} ;;
    *) port= ;;
esac
case $port in smtp | '') port=25 ;; submission) port=587 ;; smtps | submissions) port=465 ;; esac
if [ -n "$name" ]; then
    name=$(printf %q "$name") port=$(printf %q "$port")
    if command -v dig >/dev/null 2>&1; then
        shown dns.txt "dig +short A $name"
        shown dns.txt "dig +short AAAA $name"
        shown dns.txt "dig +short MX $name"
    fi
    starttls='-starttls smtp'
    if [ "$port" = 465 ]; then starttls=; fi
    shown session.txt "timeout 20 openssl s_client $starttls -connect $name:$port -servername $name -showcerts"
fi

tar -czf "$folder.tar.gz" "$folder" && echo "Evidence: $folder and $folder.tar.gz. Next: gatepost doctor $folder"
