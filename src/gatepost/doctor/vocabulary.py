"""Words of mail, of exports and of logs, lower-case: they tell nothing about anybody, so redaction keeps them."""

# ruff: noqa: SIM905 - a list of so many words reads worse

WORDS = frozenset(
    """
aaaa ab abc abcdef abgelaufen abgelehnt able abort aborted about above abridged abruptly abs absence absender absent
abuse abused abwesenheits accept acceptcloudservicesmail accepted accepteddomain accepting accepts access accesso
according account ack acknowledged acknowledgement acl acme acquired acquisition across acs act actalis action
actions active activity acts actual ad add added adding additional addr address addressbookenabled addressed
addresses addressing addressspaces adds addtrust ade adep adjust admin admindisplayversion administradores
administrateurs administrator administratoren administrators admins adminui admit admits adr adresse advanced
advertised advice ae aead aes affirmtrust after afterwards again against age agent agentinfo agentlog aggregate ago
agree agreed agreement aka aktualisier alert alerts algorithm alhos alias align alignment alike alikes all
allaccepteddomains alle allow allowed allows alone along alphabet alphanumeric already als also alt alte alternate
alternative although alto always am ama amazon ambiguous amministratori among an analyser analyzer anatomy anbieter
anchor anchored anchors and andere anderen anderes angelegt angle ann announce announced anonymous anonymously
anonymoustls another anschluss answer answered answers anti antispam antispamcloud antivirus antragsteller any
anybody anyone anything anyway anywhere ao aol apache apart api app apparently appear appeared appears append
appliance appliances application applications applies apply appropriate approval apps apr april archive are area arg
args argument arguments arithmetic around arpa array arrays arriv arrival arrive arrived arrives arrow art artefact
article articles as asa ascii ask asked asks aspect assecurestring assemblies assert assistant associated
associatedaccepteddomains assume at ation att attempt attempted attempting attr attribute attributed attributes
attribution audit aufger aug aus ausgabe ausgehend ausgehende ausgetauscht aussteller auth authas authenticate
authenticated authenticates authentication authenticationtype authmechanism author authorisation authorise
authoritative authorities authority authrequired authroot authsource auto autodiscover automat automated automatic
automatically automation autoroot av available avoids avr awareness aws azure ba back background backlog backoff
backup bactual bad badmail bafter balanc balancer baltimore banned banner bar bare barely barracuda barracudacentral
base based basic basicauth basicauthrequiretls basis battery bb bbl bc bcertificate bcs bdat bdomains be bear beats
became because become becomes bedge been before began begin beginning beginnings begins begun behalf behaves
behaviour beheerders behind bei being believe believes belong belongs below ber berechtigung berichtkoppen beside
besides best better between bexim bexternal beyond bf bfd big bigfish bigger binary binaryio binarymime binascii
bind binding bindings binds bios bit bitmime bits biz bjust black blacklist blake blames blank blanked blanks blind
block blocked blockedconnector blocking blockingscenario blocklisted blocks blog blogs bmerger bodies body bom bool
boolean booleans boot bootloader border boss both bought bounc bounce bounced bounces bouncing bound boundary box
bport br brace bracket bracketed brackets branch branding break breaking breaks breplicat brevoked bright bring
broad broke broken bronserver bsd bsmtpd btls build building builds built bulk bundle bundleerror bundles business busy
but button buypass bvor by bypass bypassed bypasses byte bytes ca caa cabe cacerts cache cached calendar calg call
callable called calling calls came camerfirma can candidates canned cannot canonical cap capabilities capability
capable capi capi2 capital capitalisation captions capture captured captures carried carrier carriers carries carry
carrying carve cas case casefold cases catalogue catatnight catches category caught cause causes caveats cc ccert
ccerts cell cells cent center centralised centralized centre cer cert certain certainty certbot certbotrun certif
certificate certificatedomains certificateexpired certificateissuer certificaterole certificates certificateseen
certificatesubject certificatevalidation certify certlm certs certstorelocation certum certutil cf cfb cgnat chain
chains chang change changed changes changing channel character characters charset chatgpt check checkable checked
checker checking checks checktls child childitem chinese choice choices choose choosing chose chosen chr chrome
chronyc chunking cidr cipher cipherlist ciphers circumstances cisco citation cite cited citing citrix ck claim
claimed claims clamp class classes classic clean cleaned cleanup clear client clientauth clientauthentifizierung
clientcerts clients clientsubmission clixml clock close closed closer closest closing cloud clouds
cloudservicesmailenabled cluster cmdlet cmdlets cmt cn cname cng code codec codes coexist coexistence coincide
collapse collapsed colleague colleagues collect collection collections collector collects colon colons color colour
column columns com combinable combination combinations combined come comes coming comma command commands commandseen
commas comment commercial common commonname communicating community comodo companies companion company comparable
compare compared compares comparison compat compatibility compile compiled complete compliant compound compressed
compromised computed computer con concatenated condition conditions conf confidence config configuration configure
configured confirm confirmed confirms conflict conflicting conflicts confuse confuser congratulations conn connect
connected connecteddomains connecting connection connections connectivity connectivitylogpath connector connectorid
connectorreport connectors connectorsource connectortype connektor consecutive consent consequence consequences
considered consistent consistently console constrained constraint constraints consultant consulted consumer
consumption contact contain container contains content contents context contexts continuation continue continues
contract contradictions contradictory control controller convert convertto cop copied copier copies copy corp corpus
correct corrected correlation cost could couldn count counted counter counters counting countryname counts cousin
cover covered covering covers cp cpanel creat create created creating creation credentials critical crl crlf crlsign
crm cron cross crosspremises crosspremisesheadersfiltered crosspremisesheadersfilteredbysendconnector crosstenant
crt crypt crypto cryptographic cryptography cs csp css csv ctl ctldl cu culprit culture cumulative current curve
curves custom customer customers customised cut cuts cv cybertrust da daddy daemon daily damaged dane dark dash
dashes data database datacenter dataclass dataclasses date dated dates datetime day days dbc dbd dbeb dc dd de
deactivat deadline deaktiv deaktiviert debian debug dec decide decides deciding decision decisive declarations
declares decode decoded decoder decodestring decoding decompiled decorator decrypt dedicated deep deeper deepest def
default defaults defer deferred defers defined dehydrated del delay delayed delayedack delays delet deleted
delimiter delimiters delist deliver delivered deliverfail deliveries delivers delivery deliverytype delta demand
demands demotes denied department dependent depending deploy deployed deprecated deprecation depth depths der derive
derived derives derni describe described describes description deserialised deserialized design desired destination
destinations detail details detect detected dev developer deviations device devices dez df di diagn diagnose
diagnoseinformationen diagnosis diagnostic diagnostica diagnostics diagnostische dial dialled dialogues dict
dictionaries dictionary did didn dienstleister dies diff differ differences different differing differs dig digest
digi digicert digit digital digitalsignature digits dir direct direction directionality directions directly
directory disabl disable disabled disabledbydefault disablerootautoupdate disables disabling disagree disambiguate
disclose disconnect discouraged display displayed disputed distinguish distinguished distinguishedname distrust
distrusted div dkim dll dmarc dn dns dnsanswer dnsbl dnsnamelist dnsroutingenabled dnssec do doc docker docs doctor
doctype document documentation documented documents does doing dom domain domaincontroller domainerror domainname
domains domaintype domainvalidation don done door dot dotall dotted double doubled down downgrade download downs
dozen drains draytek dritte drop dropped drops drs drucker dry dsn dst dt due dump dumps duplicatedeliver
duplicateexpand duplicateredirect duplicates during dword dynamic dyyyymmdd eac each earlier early eaten eats ec ecc
eccert ecdh ecdhe echo ed edf edge edges edgesync edgesynchronization edgetransportservers edit edited editions
edits edu ee eecdh ef effect effective effects efskipips efskiplastip efskipmailgateway eftestmode efusers egress
ehlo einem einer eingerichtet eintr either eku element elements elf elided elif ellipsis else elsewhere email
emailaddress emails embedded eml empf employee empty emptycertificate en enabl enable enabled enabling encipher
encipherment encode encoded encoding encrypt encryption encryptiononly end enddate ended endpoint endpoints ends
endswith enforc enforce enforcement engine engineer engineering english enh enhanced enhancedkeyusagelist
enhancedstatuscodes enough ensure entered entering enterprise enters entfern entfernt entities entity entregue
entries entrust entry enum enumerate enumeration envelope environment eo eop eopattributedmessage eopfieldnotes
eoptenantattributedmessage ephem ephemeral epoch eq equal equally equals equivalent equivalents er era eration
ereignis erneuer erneuerung erneut erp erreur error errormsg errors ertificate es escape escaped escapes ese esmtp
establish established etc etr eu eur evaluated evaluation even event eventid eventlogentry evento events ever every
everyone everything everywhere evidence evidencebundle ews ex exact exactly example examples exceeded exceeds except
exception exceptions excerpts exch exchange exchangecertificate exchanged exchangelabs exchanger exchangers
exchangeserver exclude excludes exclusive exdirectoryexception exe exemption exempts exhaustively exim eximline
exist existed existent existiert existing exists exit exo exorecipient expand expanded expat expect expectation
expected expects experts expir expire expired expires expiring expiry explain explainers explains explanation
explicit explicitly export exported exportedobject exports expose express exps exsrv ext extend extended
extendedprotectionpolicy extension extensions extern external externaldnsadapterenabled
externaloriginalinternetsender externe extra fa face fact factory facts fail failed failing failover fails failure
failures faithful fake fall fallback falls false family faq far fargate fatal fault faults fb fc fe feature features
feb federation feed feedback fehlen fehler fehlt fell fetch few fewest ffentliche fff fib fibre fidelity field fields
fifo figure figures file filedata filepath files fill filled filter filtered filtering final find findall finding
findings finditer finds fine finger fingerprint fingerprints finish finished finishes fips firewall firmware first
fit fits fitting five fix fixed fixes fixture fixup fl flag flagged flags flatten flattened flight flip flips float
floor flow flowing flows fmt fn folded folder folders folding follow followed following follows font for forbidden
forbids force forced forcehelo forcepoint forces forefront foreign forest forests forgot form format
formatenumerationlimit formats formed former forms fornitore forti fortigate forum forums forward forwarded
forwarding forwards found four fqdn fr fraction fragment fragments free freigab french frequent fresh fri friday
friendly friendlyname from fromkeys fromtimestamp front frontbridge frontend frontendproxyenabled
frontendtransportservice frozen frozenset ft full fullchain fullmatch function functools funktionier funktioniert
funktionierte further future fx ga gains gap gaps gate gatepost gatepostverdict gates gateway gateways gathering
gave gcc gcm ge gegevens geht gekauft gel gelegentlich gen generaci general generally generated generating
generations generator generazione generic generierender genuine geo geotrust german gestartet gestern get getattr
getauscht gets getssl gevonden gewechselt gif git github give given gives gli glitch global globally globalsign
gmail gmt gmx go godaddy goes going gone good google googlemail got gov gpo grade grant granting grants graph gre
green greeted greeting greets group groupdict groups growing grown grows gssapi gt gts guess guessed guesses guid
guide guided gw gzip had hadiscard half hand handed handled handler handling hands handshake handshakes hang hangs
happened happening happens haproxy hard hardening hareceive haredirect haredirectfail harica has hash hashes hashlib
hasn hasprivatekey hat have haven having hazmat hcw hcwcomparison he head header headers headerseen health
healthchecker healthcheckerfinding healthy heartbeat hebrew held hello hellos helo help her here heroku herring
heuristics heute hex hexdigest hid hidden hides hierarchies hierarchy high him hint hinted hints his historical
historicalsearch history hit hits hittas hj hklm hmailserver hold holds home homemtaserverid honours hook hop hops
horizon hornetsecurity host hosted hosting hostlist hostname hosts hotmail hour hourly hours house how however hr
html http https hub human hung hunting hurt hve hyb hybrid hybridassistent hybridconfiguration hybridconnector
hybridwizard hygiene hyphens hypotheses hypothesis i icloud icon id idea ideas identical identification identified
identifier identifies identify identities identity identrust idle idna ids idx ie ied if ignore ignorecase ignored
ignorestarttls ignoring iis imap immediate immutable implement implementation implementers implicit import imported
importlib importpfx impossible in inbound inboundconnector inc incident incl included including inclusion incoming
incompatible incomplete inconsistent incorrectly increase indefinitely indent indentation indented independent index
indicator inert inet inference inferred info informa information informations informazioni infrastructure ing init
initial initialdomain initmessagecreated inner inoltro input inputs insensitive insensitively inside insight
insights inspect inspecting inspection inspects install installation installed installs instance instead
insufficient int inte integrated intended intercept interesting interface interfaces interference interleave
intermediate intermediates intermittent intermittently intern internal internalproxy internalrelay
internalsmtpservers internaltransportcertificatethumbprint internet internetanbieter interpretation interval
intervals intestazioni into intra intranet invalid invalidtoken invented invisible involved io ion ip ipaddress
iphmx ips ipuwsf ipv ironport irrelevance is isalnum isascii iscoexistencedomain isdecimal isdefaultfederateddomain
isdigit isinstance isn iso isoformat isolated isp isrg isscopedconnector isselfsigned issuance issubclass issue
issued issuer issuers issues issuing ist istransportrulescoped isvalid isvalidated it item itemproperty items iter
iterable iterator its itself ja jan japan java jede jeder jenkins job jobs join joined joinpath joins journal
journaling journals jp jpmessaging jpnp json judge jul july jumbo jun june just kann kb keep keeps kein keine kem
kemp kept kerberos kerio key keyagreement keycertsign keyed keyencipherment keys keystore keyusage keyword keywords
kill kills kin kind kinds klappt knob know knowledge known knows kollege kommen kommt konfigurationsassistent
konnektor konnte ksp ku kubernetes kumo kumomta kunde kw kyber label labelled labels lacks lag lambda lan lands lang
language languages large larger largest last lastattemptedip lastattemptedservername lasterror lastgroup
lastretrytime lasts lastvalidationtimestamp lastverteiler late lately later latest latin law laws lax layer layout
lb lds le leading leaf leaked leap learn least leave leaves leaving led leer leerer left leg legacy legend
legitimate lego leitung len length lengths lenient les lesebest leserecht less let lets letsencrypt letters letzte
letzter level lhost li liable library lication licence license lie lief liefert lies life lifetime lifetimes lift
lifts like likeness limit limited limiting limits line lines link links linux list listed listener listeners
listening listing lists literal literals little live ljust llig lmtp lnav load loaded loads local localdomain locale
localhost localisation localised localityname localmachine location locations lock lockdown locked log logged
loggedcertificate logging logic logical login logo logon logondenied logs lone long longer longest look looked looks
lookup lookuperror lookups loop loopback loops loose lose loses loss losses lossy lost low lower lowest lrt lru lst
lstrip lt lte ly mac machine maddy made mai mail mailbox mailboxes mailboxrule mailboxtransportsubmissioninternalproxy
mailcontrol mailcow maildir mailenable mailer mailflow mailguard mailing mails mailto main mainlog maintainers make
makes makestep manage management manchmal mandant mandatory manual many map mapi mapidelivery mapping maps mar
margin mark markdown marked marker marks mask masked masking masks masquerade master match matched matches matching
matchsubdomains material matter matters max maxage maximal maximum maxinboundconnection maxmessagesize maxsize may
maybe mb mc md mdaemon me meaning means meant meanwhile measured mechanism media medium meetingmessageprocessor
meets meint members memory mend mensagem mention mentioned menu meraki mere merged merger mergers message
messagecount messagelabs messageretryinterval messages messagetrace messagetracking messaggio messaging met meta
metadata method mfp mfr mg mgdomain micro microsoft microsoftdocs microsoftonline middlebox migrat migrated
migration migriert mikrotik mil milliseconds milter mime mimecast min mined minimal minimum minority mins minute
minuten minutes mirrors mis misc misconfigured misleading mismatch mismatching miss misses missing misspelt mistake
mistaken mistakes mit mitm mixed ml mlkem mm mode model moderation moderationexpire moderatorapprove moderatorreject
moderatorsallndr modern modes modif modified modifying module modules moera moment moments mon monday monitor
monitoring monospace month monthly months more morning most mostly mov move moved moves mox mrs mrz ms msc
msexchange msexchangefrontendtransport msexchangetransport msg msgid msgtr msgtrkma msgtrkmd msgtrkms msit msmtp msp
mss mta mtliche mtls mtu much multi multifunction multiline multipart multiple multivaluedproperty must mutual
mutually mvp mx my mydestination mydomain myhostname mynetworks myorigin mysql mz nach nachrichtenkopfzeilen nagios
naive name named namedtuple names nameseen namespaces naming narrow narrower narrowly narrows nat native nbsp nd
ndert ndr ndrs ne near nearly need needed needs negatable negated negato negotiated negotiation neither nement
nested nests net netconnection netlify netmon netscaler netsh network networks neu neue neuer neugestartet
neutralised never nevertheless new newer newest newly newsletter next nexthop nexthopconnector nexthopdomain nger
ngert nginx ngliche nicht nichts nie niet night nil nl nnn nnnn no nobody noch nochmal noconnector nocredentials
node nodemailer nodes noise nokeys non none noout noqa noqueue nor norelaying noremotecertificate noreply normal
normalized normally nospamproxy not notafter notation notbefore note notes notfound nothing nothingtoread noticed
notices notification notify notifymapi notifyshadow nov november now np ns nslookup ntlm ntp nul null nullmailer num
number numbered numberofdays numbers numeric nur nx nxdomain oauth obj object objects objs observation observed
obsolete obtained occasional occur occurred occurs ocsp oct octet octets odd odep of off offer offered offering
offerings offers office officedocs offline offload offset offsets often ohne oid oil ok okay okt old older oldest
omc omit omitted on onbestelbaar once one oneline ones online only onmicrosoft onpremises onpremisesorganization
onpremisessmarthost onpremserverreportinfo onset oof oorg oorspronkelijke op opaque open opened opener opensmtpd
openssl opensslverify operating operational operations operator operators opinion opinions opnsense opportunistic opt
optics optimal option optional optionally options or orar order ordered ordinary org organi organisation organisations
organization organizational organizationalunitname organizationalunitroot organizationconfig organizationid
organizationname organizations orig origem origin originais original originalattributedtenantconnectingip originali
originally originating originatingserver originator originatororg origine os oserror other others otherwise ou ought
our ours out outage outbound outboundconnectionresponse outboundconnector outboundippoolname outboundonly outcome
outdated outer outgoing outlook output outputs outside over overflow overridden overwrites overwriting owa own owner
owners ownership owning owns ox package packet packets padded padding page pages paid pain pains pair pairs palo
panubo para paragraph paragraphs param parameter parameters paraphrase paraphrased parent parentheses parenthesis
parse parsed parser parsers parses parsing part partial partialchain partition partly partner partners parts party
pas pass passed passes passing password past paste pasted pastes pasting patch path pathlib paths pattern patterns
pause pdf peer peercertificate peers pem pending people pep per percent perfectly performing perhaps permission personal
permissiongroups permissions permit permitted person pflogsumm pfsense pfx phases photos php phpmailer phrase pick
picked picks pickup picture pid piece pilot pin ping pinned pins pipelined pipelining pix pk pkcs pkgutil pki pkix
place placeholder placeholders places plain plainly plan plausible please plesk plugin plus pm png point pointer
pointers points poison poisonmessage policies policy pool pop population populations port portal posh position
positives possibility possible post postal postalserver postconf posted postfix postfixdelivery postfixsetting
postfixtlsline postgres postmap postmaster postponed posts postsrsd posttls posture pour power powershell
powershellerror pp pphosted practical practice practices prd pre precedence precision prefer preference preferred
prefers prefix prefixes prefixlen prem premises prerequisites presence present presented presenting presents
prestataire prev preview previous primary prime primitives print printable printed printer prints prior priorities
priority priv private privaten privkey probably probe probed problem problems process processing
processmeetingmessage prod produced produces product production profile profiles program programme programmes
programs progress prohibited project projects promoted promotes prompt prompted proof proofpoint proofs propagation
properly properties property propertytype proportional proposal proposed proprietary props prose prosefact prot
protection proto protocol protocollog protocollogginglevel protocols protokol protokollname proton protonmail prove
proved provenance proves provider providers provisioning proxy prx ps pscomputername pseudo pt ptr public
publicfolder publickeysize publish published punycode purchased pure purpose purposes pushes put puts puzzled pv px
py python qid qmgr qnap qq qualify quantum quarantined que quelle query question queue queued queueerror queueing
queues queuing quiet quirks quit quopri quotation quote quoted quotes quoting quovadis radius raise raises ran
random range ranges rangeupper ranked rapidssl rate rather ration raus raw rawdata rb rbl rcpt rdn re reach
reachable reached react read readable readallbytes reader readers reading readitem readlines readme reads ready real
reality really reappear reapply reason reasons reboot rebuild rec recalled recapitabile receipt receipts receiv
receive receiveconnector received receiveprotocollogpath receives receiving receivingtransportservers recent
recently recipe recipes recipient recipientdomains recipients recognise recognised recognises recommended recommends
record recorded recordreader records recreat recreate recursion recursionerror recv recycl recycled red redacted
redaction reddit redirect redirected redmond redo redundancy ref refer reference references reflector refresh refus
refusal refusals refuse refused refuses refusing regex regexp region regional regions register registered registers
registrable registry regression regular rehearsal rehearse reissu reissue reissued reissues reject rejectdirectsend
rejected rejecting rejection rejects rekey rel related relationship relative relay relayed relayhost relaying
relayoutboundpool relaypolicyreject relays relayzugriff relied relies reload rem remaining remark remis remote
remoteipranges remov removal remove removed removeprefix removes removesuffix rendered renew renewal renewals
renewed renewing repadmin repair repaired repeat repeated repeatedly repeats repetition repl replac replace replaced
replacement replacements replaces replacing replicat replicate replicated replication replied replies reply
replyseen report reported reporting reports repr represented repudiation reputation req request requested requests
require required requirement requires requiretls rerun research resend reserved reset resets resolution resolve
resolved resolver resolves resort resources responded response rest restart restarted restarting restore restored
restores restrict restrictdomainstocertificate restrictdomainstoipaddresses restricted restricting restriction
restrictions restricts resubmit resubmitdefer resubmitfail resubscription result results resume resumes resync
retain retarus retest retired retirement retransmi retried retries retry return returned returns reuse reverse
reversed revocation revocationcheckfailure revoked rewrite rewrites rewritten rewrote rf rfc rfind rglob right
rights rindex rivals rl rnsm roaming role roles rolling room root rootcatype roots rotat rotated rotates rotation
round route routeallmessagesviaonpremises routealmessagesviaonpremises router routes routine routines routing row
rows rpartition rpc rs rsa rsplit rst rstrip rsyslog rtung ru ruff rule ruled ruledout rules run running runs
runspace runspaceid rustls sa saa saas safe safest safety safetynet sagt said same sample sampled samples san sans
sap sasl sat satisfied satisfies satisfy saturday save saved saving saw say says scalar scale scan
scananddroprecipients scanner scenario scenarios schannel schema scheme schl scht scl scope scoped scopes scoping
scores script scripts sd sdp search searched searching sec second seconds secp sectigo section sectors secure
security see seeded seek seem seems seen sees seit select selectable selected selection selects self semantics
semicolon semicolons sen send sendconnector sender senderdomains senderipaddress senderipaddresses senders
senderseen sending sendingtransportservers sendmail sendprotocollogpath sends sendyyyymmdd sent sentence sentences
sep separate separated separately separating separator separators sequence serbian serial serialised serialnumber
serials series serif served server serverauth serverauthentifizierung serverfault servers serves serveur service
serviceinstance services servidor serving session sessions set setdefault setgid sets setting settings setup setups
several sfa sfv sh sha shadow shadowredundancy shape shapes share shared shares she shell shells ships short
shortened shorter shortlived should show showed showing shown shows side sides sightings sign signature signed signs
silent silently similar simple simplified simply simulator simulators since single sisimai sister sit site sites
sits situation six size skew skip skiplistedinternetsender slash slashes slots slow small smart smarthost
smarthostauthmechanism smarthosts smarthostsstring smtp smtpd smtppopulation smtpreceive smtprelay smtpsecurity
smtpsend smtpsendconnectorconfig smtpsession smtputf sn snake snapshots snat so socket socketerror sockets soft
software solutions some somebody someone something sometimes sonic sonicwall soon sophos sorbs sort sorted source
sourceroutinggroup sources sourcetransportservers sp space spaces spam spamcop spamexperts spamhaus span speak
speaks special specific specifically specification specificities specificity specified spelling spf spiceworks split
spoken spoof sporadic spread spreads square src srn srs srv ssel ssl sslclient sslv sst st stack staff stage stages
staging stale stalled stalls stalwart stamp stamped stamping stamps stand standalone stands star starfield starred
stars start startcom started starting starts startswith starttls stat state stated statement statements
stateorprovincename states static staticmethod status statuses stays stem step steps stico still stk stood stop
stopgap stopped stops storage store stored storedriver stores str straight stranger strangers stray stream streams
strength strenum strerror strict string strings strip stripped stripping strips strong structure stuck studio stupu
style su sub subdomain subdomains subject subjectaltname subjectmismatch subjectname submission submit submitdefer
submitfail submitted subnet subnets subordinate subscribe subscription subscriptions subsequent subset subsidiary
succeed succeeded succeeds success successes successfully such sudden suddenly suffices suffix suffixes suggest
suggested suggestion suitable suite suites sum summarize summary sun sunday superseded supplier support supported
supposed suppress suppressed suppressxanonymoustls sure surely surer surface surprises surrogatepass survey surveyed
survive suspect suspects suspended suspicious suspiciousremoteservererror sv swaks swallowed swap swapp swiftmailer
swisssign switch switchable switched switches switching symantec symanteccloud symptom symptoms sync syncall synced
synchroni synchronise synchronization synology syntax syntaxinvalid synthesising syslog system systemdefaulttlsversions
systems sz table tables tag tagged tags tail take taken takes talk target tarpit task tasks tcp tcpdump team tech
ted teilweise telekom tell teller telling tells telnet template templates temporary ten tenant tenantattribution
tenantconnectorsource tenantconnectortype tenantexemptioninfo tenantinboundattribution tenants tension term terminal
terminat terminate terminates terrl tes test tested testers testing tests testssl text texts textwrap than thank
thanks that thawte the their theirs them themselves then there therefore these they thing things think thinks thinly
third thirdparty this those though thought thread threads three threshold throttle throttled throttles throttling
through thu thumbprint thumbprints thursday tick ticket ticks tie tied ties tigung time timed timedatectl timedelta
timedout timeout timeouts times timespan timestamp timezone timing title titles tl tls tlsa tlsauthlevel
tlscertificatematch tlscertificatename tlscipher tlsclient tlsdomain tlsdomaincapabilities tlsh tlsseen
tlssendercertificatename tlsserver tlssettings tlsv tlsversion tm tn tnref tnut to today together token told tomcat toml
tomorrow tonight too took tool tools toomuch top topic topics topology tostring total touches tra trace traceable traces
tracking traffic trail trailer trailing transaction transcript transcripts transfer transient transit translate
translated translation transmission transport transportconfig transportrole transportroles transports transportserver
transportservice trap traverses treat treated treatmessagesasinternal treats trendmicro triage trial tried trimmed
trouble troubleshoot true truncated truncation trust trusted trustedorganizations trusting trusts trustwave try
trying ts tue tuesday tunnel tuple tuples turkish turn turned turns tv twins two txt ty type typed typeerror types
typevar typical typing typographic tzinfo tzt ubnt ubuntu ufeff uff uhrzeit ui ul umgeleitet umgestellt umgezogen
umt unable unaffected unannounc unannounced unattributed unauthenticated unauthorised unauthorized unavailable
unbalanced unblock unblocking unbound unbracketed unchanged uncheckable unclear unconnected uncovered undefined
undeliverable under understood undone unescape unescaped unicode unicodedecodeerror unifi uninvolved union unique
unit unix unknown unknowncredentials unknowns unless unlicensed unlimited unlisted unmasked unmodified unpack
unpacked unpatched unpatchedonpremserver unproved unprovisioned unquoted unreachable unread unreadable unregistered
unrelated unseen unset unspecified unsuccessful unsuitable unsupported untangle unterst until untrusted
untrustedroot untyped unusable unusual unverified unwanted unzustellbar up updat update updated updater updates
upgrad upgrade upgraded uplink uplinks upper ups upstream ure uri urlfetch urspr us usable usage usages use used useful
useless usemxrecord user users usertrust uses usexternaldnsserversenabled using usual usually utc utes utf utm ux
valid validat validate validated validates validation validationrecipients validity value valued valueerror values
vanish var variant variants varies vars vary vectors velocity vendor vendors ver veraltet verb verbose verbs vercel
verdict verdicts verification verifications verified verifier verifiers verifies verify verifyctl verisign verl
vermutlich versende version versions versus verweigert very via vianet view viewport violation vip virtual virus
visible visually vm vocabulary volume von voor vorher vpn vs wacs wahrscheinlich wait waited waiting wan want wanted
wants warn warned warning warns warteschlange was wasn watchguard way we weak weakens weaker web webmail wed
wednesday week weekend weeks weight weitergeleitet weiterleit well went were what whatever when whenchanged
whenchangedutc whenever where wherever whether which whichever while white who whoever whole whose why wide wider
width wieder wiki wikis wildcard wildcards will win window windows windowsupdate winhttp wins wire wireshark wise
with withdrew withheld within without wizard wmsvc won word worden wording wordpress words work workaround
workarounds worked working works worldwide worse worth wosign would wow wrap wrapped wrapper wrappers wraps write
writes written wrong wrote ws wu wurde www wwwrun xa xaf xb xbc xcf xd xe xexch xfe xff xhcw xml xmlns xoorg xproxy
xrdst xshadowrequest xx xxxx xxxxxxxa yahoo yaml yandex ye year yearly years yes yesterday yet yield yn you young
your yours yourself yr yyyymmddhh za zabbix zam zb zeros zerossl zertifikat zip zone zonemta zones zscaler zu zuf
zugriff zur zweite zweiter zwischenzertifikat zyxel
cafile capath certfile docker hostlist keyfile md5sum modulus noout openssl pkey privkey pubin pubkey pubout sha256sum
userland x509
""".split()
)
