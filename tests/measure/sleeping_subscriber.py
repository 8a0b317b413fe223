#!/usr/bin/env python3
"""What a subscriber that never answers costs the API: two servers side by side, one of them with a target of `notify_webhook`
that takes every event and answers none. Nodes are created on both in turns; printed are the ratio of the 99th percentiles, and the
memory of the server with the subscriber, tenth by tenth.

    cargo build --release && tests/measure/sleeping_subscriber.py 5000 [POSTGRES_URL POSTGRES_URL]
"""
import base64, http.client, json, os, socket, subprocess, sys, tempfile, threading, time
BIN = os.environ.get('RIVETGUN', 'target/release/rivetgun')
def sink():
    s=socket.socket(); s.bind(('127.0.0.1',0)); s.listen(256)
    conns=[]
    def run():
        while True:
            try: c,_=s.accept(); conns.append(c)
            except OSError: return
    threading.Thread(target=run,daemon=True).start()
    return s.getsockname()[1]
def serve(settings, url=None):
    d=tempfile.mkdtemp(prefix='p99'); open(d+'/s.toml','w').write(settings)
    args=[BIN,'--config',d+'/s.toml','--state-dir',d+'/state']
    if url: args+=['--database-url',url]
    p=subprocess.Popen(args+['serve','--listen','127.0.0.1:0'],stdout=subprocess.PIPE,stderr=open(d+'/log','w'),text=True,env={**os.environ,'RIVETGUN_LOG':'error'})
    for line in p.stdout:
        if 'listening on http://' in line: return p,line.strip().split('http://')[1],d
def load(addr,n,base):
    h=http.client.HTTPConnection(addr); times=[]
    for i in range(n):
        k=base+i; mac='02:00:%02x:%02x:%02x:%02x'%(k>>24&255,k>>16&255,k>>8&255,k&255)
        body=json.dumps({'mac':mac,'name':'n%d'%k,'meta':{'disks':[{'name':'sda','size':107374182400}],'interfaces':[{'name':'eth0','mac':mac}]}})
        t=time.perf_counter(); h.request('POST','/api/v1/nodes',body,{'content-type':'application/json'}); r=h.getresponse(); r.read()
        assert r.status==201,r.status
        times.append(time.perf_counter()-t)
    return times
def rss(p): 
    return int([l for l in open('/proc/%d/status'%p.pid) if l.startswith('VmRSS')][0].split()[1])//1024
port=sink()
secret='whsec_'+base64.b64encode(b'x'*32).decode()
quiet=''
hung='[extensions.notify_webhook.targets.hung]\nurl="http://127.0.0.1:%d/"\nevents="*.*.*"\nsecret="%s"\nallow_private_addresses=true\n'%(port,secret)
n=int(sys.argv[1]); urls=sys.argv[2:] or [None,None]
a,aa,_=serve(quiet,urls[0]); b,bb,d=serve(hung,urls[1])
load(aa,300,1<<24); load(bb,300,1<<24)
A=[];B=[]; R=[]
for r in range(10):
    # interleaved in small steps and in changing order, so that noise hits both alike
    for step in range(10):
        base=r*100000+step*10000
        for addr,times in ([(aa,A),(bb,B)] if step%2 else [(bb,B),(aa,A)]): times+=load(addr,n//100,base)
    R.append(rss(b))
q=lambda t,p: sorted(t)[int(len(t)*p)]*1000
print('without: p50 %.2f p99 %.2f ms; with a subscriber that never answers: p50 %.2f p99 %.2f ms; p99 ratio %.3f, p50 ratio %.3f'%(q(A,.5),q(A,.99),q(B,.5),q(B,.99),q(B,.99)/q(A,.99),q(B,.5)/q(A,.5)))
print('RSS MiB of the server with the subscriber, each tenth:',R,'; without:',rss(a))
h=http.client.HTTPConnection(bb); h.request('GET','/api/v1/extensions/notify_webhook'); print(json.loads(h.getresponse().read())['subscriptions'])
a.terminate(); b.terminate()
